package manifests

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

const project = "../.."

// code is what links and headings are not looked for in.
var (
	code    = regexp.MustCompile("(?ms)^```.*?^```")
	spans   = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks holds each link between pages to a file and, where it names one, a heading that are there.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, links := testenv.Pages(t, project), 0
	for page, text := range pages {
		text = spans.ReplaceAllString(code.ReplaceAllString(text, ""), "``")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to, err := url.Parse(m[1])
			if err != nil || to.Scheme != "" {
				continue
			}
			links++
			file := page
			if to.Path != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(page), to.Path))
			}
			if _, err := os.Stat(filepath.Join(project, file)); err != nil {
				t.Errorf("%s links to %s: there is no %s", page, m[1], file)
			}
			if to.Fragment != "" && !slices.Contains(anchors(pages[file]), to.Fragment) {
				t.Errorf("%s links to %s: %s has no such heading", page, m[1], file)
			}
		}
	}
	if links < 50 {
		t.Errorf("found %d links, expected 50 at least", links)
	}
}

// anchors are the names by which a page's headings are linked to.
func anchors(text string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestDocumentedPaths holds paths in the pages on Kubernetes to what there is. "ours" is the reader's copy.
func TestDocumentedPaths(t *testing.T) {
	t.Parallel()
	paths := regexp.MustCompile(`\b(?:manifests|docs|examples|tilt|internal)/[A-Za-z0-9_./-]*[A-Za-z0-9]`)
	for page, text := range testenv.Pages(t, project) {
		if !strings.HasPrefix(page, "docs/tutorials/") && !strings.HasPrefix(page, "docs/runbooks/") &&
			page != "README.md" && page != "manifests/README.md" {
			continue
		}
		for _, path := range paths.FindAllString(text, -1) {
			if _, err := os.Stat(filepath.Join(project, path)); err != nil && path != "manifests/overlays/ours" {
				t.Errorf("%s names %s, which is not there", page, path)
			}
		}
	}
}

// foreign are names of what others make: the K8ssandra operator, Penstock in the object store, and image.sh.
var foreign = []string{
	"penstock-dc1-service", "penstock-superuser", "penstock-state", "penstock-rejects", "penstock-amd64",
	"penstock-arm64",
}

// TestDocumentedNames holds names that begin with penstock- in the pages on Kubernetes to objects that there are.
func TestDocumentedNames(t *testing.T) {
	t.Parallel()
	known := append(documentedSecrets(t), foreign...)
	for _, name := range names(t, "overlays") {
		for _, o := range overlay(t, name) {
			known = append(known, o.Name(), unhashed(o.Name()))
		}
	}
	for _, name := range names(t, "components") {
		for _, o := range component(t, name) {
			known = append(known, o.Name(), unhashed(o.Name()))
		}
	}
	named := regexp.MustCompile(`\bpenstock-[a-z0-9-]*[a-z0-9]`)
	for page, text := range testenv.Pages(t, project) {
		if !strings.HasPrefix(page, "docs/tutorials/") && !strings.HasPrefix(page, "docs/runbooks/") {
			continue
		}
		for _, name := range named.FindAllString(text, -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which nothing is called", page, name)
			}
		}
	}
}

// TestProductionIsDocumented holds the tutorial to each secret that production needs, and to each alert.
func TestProductionIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(project + "/docs/tutorials/production.md")
	must(t, err)
	text, secrets := string(page), map[string]bool{}
	for _, o := range overlay(t, "production") {
		for path, value := range o.Walk() {
			if name, ok := value.(string); ok && (strings.HasSuffix(path, "secretName") ||
				strings.HasSuffix(path, "ecretRef.name") || strings.HasSuffix(path, "secretKeyRef.name") ||
				strings.HasSuffix(path, "secret.name")) {
				secrets[name] = true
			}
		}
	}
	for name := range secrets {
		if !strings.Contains(text, "secret "+name+" ") && name != "penstock-superuser" {
			t.Errorf("the tutorial does not make the secret %s", name)
		}
	}
	for _, name := range documentedSecrets(t) {
		if strings.HasPrefix(name, "penstock-") && !secrets[name] {
			t.Errorf("manifests/README.md has the secret %s, which production does not need", name)
		}
	}
	for _, rule := range alerts(t) {
		if name := rule.Text("alert"); !strings.Contains(text, "["+name+"]") {
			t.Errorf("the tutorial does not name the alert %s", name)
		}
	}
}

// TestDocumentedSizes holds the tutorial's table of sizes to what production asks for.
func TestDocumentedSizes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(project + "/docs/tutorials/production.md")
	must(t, err)
	objects := overlay(t, "production")
	scaled := find(t, objects, "ScaledObject", "penstock-worker")
	for _, c := range []struct{ kind, name, number string }{
		{"Deployment", "penstock-dispatcher", ""}, {"StatefulSet", "nats", ""},
		{
			"Deployment", "penstock-worker",
			scaled.Text("spec.minReplicaCount") + " to " + scaled.Text("spec.maxReplicaCount"),
		},
	} {
		o := find(t, objects, c.kind, c.name)
		number, container := cmp.Or(c.number, o.Text("spec.replicas")), o.List("spec.template.spec.containers")[0]
		milli, err := strconv.Atoi(strings.TrimSuffix(container.Text("resources.requests.cpu"), "m"))
		must(t, err)
		memory := bytesOf(t, container.Text("resources.limits.memory")) >> 20
		row := fmt.Sprintf("| `%s` | %s | %g asked for", c.name, number, float64(milli)/1000)
		found := regexp.MustCompile("(?m)^\\| `" + c.name + "` \\|.*$").FindString(string(page))
		if !strings.HasPrefix(found, row) || !strings.Contains(found, fmt.Sprintf("| %d MiB", memory)) {
			t.Errorf("found %q, expected it to begin with %q, and %d MiB", found, row, memory)
		}
	}
}

// TestDocumentedVersion holds the KEDA that pages and scripts install to the one whose scaler tests run.
func TestDocumentedVersion(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(root + "/kedatest/go.mod")
	must(t, err)
	tested := regexp.MustCompile(`kedacore/keda/v2 v(\S+)`).FindSubmatch(mod)
	if tested == nil {
		t.Fatal("manifests/kedatest/go.mod names no KEDA")
	}
	manifest := "/v" + string(tested[1]) + "/keda-" + string(tested[1]) + ".yaml"
	for _, file := range []string{"docs/tutorials/kind.md", "docs/tutorials/production.md", "tilt/keda"} {
		text, err := os.ReadFile(filepath.Join(project, file))
		must(t, err)
		if !strings.Contains(string(text), manifest) {
			t.Errorf("%s does not install %s", file, manifest)
		}
	}
}
