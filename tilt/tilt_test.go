package tilt

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// tables are the ways to bring Penstock up: what is told behind `--`.
var tables = map[string]map[string]string{"single": nil, "k8ssandra": {"cassandra": "k8ssandra"}}

func newPlan(t *testing.T, flags map[string]string) *plan {
	t.Helper()
	p := &plan{root: root, context: "kind-lab", flags: flags, render: kubectl}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDeploys says what `tilt up` brings: each resource with its group, what it waits for, and the ports that are
// forwarded.
func TestDeploys(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"single": {
			"keda-operator [servers] runs tilt/keda",
			"nats [servers] forwards [4222 8222]",
			"s3 [servers] forwards [9000]",
			"cassandra [servers] forwards [9042]",
			"penstock-dispatcher [penstock] after [nats s3 cassandra] forwards [8080]",
			"penstock-worker [penstock] after [penstock-dispatcher]",
			"scaling [penstock] after [keda-operator penstock-dispatcher] of [penstock-worker:scaledobject]",
		},
		"k8ssandra": {
			"keda-operator [servers] runs tilt/keda",
			"nats [servers] forwards [4222 8222]",
			"s3 [servers] forwards [9000]",
			"k8ssandra-operator [servers] runs tilt/k8ssandra",
			"cassandra [servers] after [k8ssandra-operator] of [penstock:k8ssandracluster]",
			"cql [servers] after [cassandra] serves tilt/forward penstock-dc1-service 9042",
			"penstock-migrate [servers] after [cassandra]",
			"penstock-dispatcher [penstock] after [nats s3 penstock-migrate] forwards [8080]",
			"penstock-worker [penstock] after [penstock-dispatcher]",
			"scaling [penstock] after [keda-operator penstock-dispatcher] of [penstock-worker:scaledobject]",
		},
	}
	buttons := []string{
		"demo-data [buttons] after [penstock-dispatcher] runs tilt/demo when triggered",
		"tests [buttons] runs make test when triggered",
		"load-test [buttons] after [penstock-dispatcher] runs tilt/load-test smoke when triggered",
	}
	for table, flags := range tables {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range newPlan(t, flags).resources {
				got = append(got, r.String())
			}
			if want := slices.Concat(want[table], buttons); !slices.Equal(got, want) {
				t.Errorf("found\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func (r *resource) String() string {
	s := fmt.Sprintf("%s %v", r.name, r.labels)
	for _, part := range []struct {
		word  string
		there bool
		value any
	}{
		{"after", len(r.deps) > 0, r.deps}, {"of", len(r.objects) > 0, r.objects}, {"runs", r.command != "", r.command},
		{"serves", r.serve != "", r.serve}, {"forwards", len(r.forwards) > 0, r.forwards},
	} {
		if part.there {
			s += fmt.Sprintf(" %s %v", part.word, part.value)
		}
	}
	if r.manual {
		s += " when triggered"
	}
	return s
}

// builtIn are the kinds that every cluster has. Tilt applies what is in no resource first: objects of other kinds would
// come before the operators that bring their definitions.
var builtIn = []string{"Namespace", "ServiceAccount", "ConfigMap", "Secret", "Service", "PodDisruptionBudget"}

// TestNothingIsLeftOver wants each workload, and each object of an operator's kind, in a resource with a label.
func TestNothingIsLeftOver(t *testing.T) {
	t.Parallel()
	for table, flags := range tables {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			p := newPlan(t, flags)
			for _, o := range p.objects {
				if !slices.Contains(builtIn, o.Kind) && !p.has(o) {
					t.Errorf("%s %s is in no resource", o.Kind, o.Metadata.Name)
				}
			}
			for _, r := range p.resources {
				if len(r.labels) != 1 {
					t.Errorf("resource %s has labels %q, expected one", r.name, r.labels)
				}
			}
		})
	}
}

func (p *plan) has(o object) bool {
	return slices.ContainsFunc(p.resources, func(r *resource) bool {
		return r.workload && o.workload() && r.name == o.Metadata.Name ||
			slices.Contains(r.objects, o.Metadata.Name+":"+strings.ToLower(o.Kind))
	})
}

// TestForward forwards to the Service at which manifests/ have Penstock find the K8ssandraCluster: its operator makes it,
// so that it is in nothing that is deployed.
func TestForward(t *testing.T) {
	t.Parallel()
	p := newPlan(t, tables["k8ssandra"])
	i := slices.IndexFunc(p.resources, func(r *resource) bool { return r.serve != "" })
	j := slices.IndexFunc(p.objects, func(o object) bool { return o.Data["PENSTOCK_TARGET"] != nil })
	if i < 0 || j < 0 {
		t.Fatal("expected a resource that serves, and a ConfigMap with PENSTOCK_TARGET")
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(fmt.Sprint(p.objects[j].Data["PENSTOCK_TARGET"]), "cassandra://"), ":")
	if want := fmt.Sprintf("tilt/forward %s %s", host, port); p.resources[i].serve != want {
		t.Errorf("found %q, expected %q", p.resources[i].serve, want)
	}
}

// TestRenamed renames each workload, and each object that a resource names, in what manifests/ renders to: the Tiltfile
// must not run any more.
func TestRenamed(t *testing.T) {
	t.Parallel()
	for table, flags := range tables {
		before := newPlan(t, flags)
		for i, o := range before.objects {
			if !before.has(o) {
				continue
			}
			p := &plan{root: root, context: "kind-lab", flags: flags}
			p.render = func(string) ([]object, error) {
				renamed := slices.Clone(before.objects)
				renamed[i].Metadata.Name += "-new"
				return renamed, nil
			}
			if err := p.run(); err == nil {
				t.Errorf("%s: with %s %s renamed the Tiltfile still runs", table, o.Kind, o.Metadata.Name)
			}
		}
	}
}

// TestRenamedInManifests renames a Deployment in the files of manifests/ alone.
func TestRenamedInManifests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copyTree(t, filepath.Join(root, "manifests"), filepath.Join(dir, "manifests"), func(text string) string {
		return strings.ReplaceAll(text, "penstock-worker", "penstock-loader")
	})
	data, err := os.ReadFile(filepath.Join(root, "Tiltfile"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Tiltfile"), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = (&plan{root: dir, context: "minikube", render: kubectl}).run()
	if err == nil || !strings.Contains(err.Error(), `resource "penstock-worker": no workload of that name`) ||
		!strings.Contains(err.Error(), "penstock-loader") {
		t.Errorf("error %v", err)
	}
}

func copyTree(t *testing.T, from, to string, change func(string) string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(change(string(data))), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBuild wants the image that manifests/ name to be built, and anew whenever one of its sources changes.
func TestBuild(t *testing.T) {
	t.Parallel()
	p := newPlan(t, nil)
	if len(p.builds) != 1 {
		t.Fatalf("builds %+v, expected one", p.builds)
	}
	b := p.builds[0]
	used := 0
	for _, o := range p.objects {
		for _, c := range o.Spec.Template.Spec.Containers {
			name, _, _ := strings.Cut(c.Image, ":")
			if name == b.ref {
				used++
			} else if strings.HasPrefix(name, "localhost/") {
				t.Errorf("%s %s: nobody builds image %s", o.Kind, o.Metadata.Name, c.Image)
			}
		}
	}
	if used < 2 {
		t.Errorf("%d containers use %s, expected dispatcher and worker", used, b.ref)
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}",
		"./cmd/penstock")
	list.Dir = root
	packages, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(packages)) {
		folder := strings.Split(strings.TrimPrefix(pkg, "github.com/penstock-io/penstock/"), "/")[0]
		if !slices.Contains(b.deps, folder) {
			t.Errorf("package %s: a change in %s starts no build: found %q", pkg, folder, b.deps)
		}
	}
	for _, dep := range b.deps {
		if _, err := os.Stat(filepath.Join(root, dep)); err != nil {
			t.Error(err)
		}
	}
}

// TestClusters is about how the image gets to the nodes of each kind of cluster, and that no other is touched unasked.
func TestClusters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ context, flag, command, wrong string }{
		{context: "kind-lab", command: "tilt/image kind lab"},
		{context: "k3d-two-words", command: "tilt/image k3d two-words"},
		{context: "minikube", command: "tilt/image minikube minikube"},
		{context: "mine", flag: "mine", command: "tilt/image containerd k8s.io"},
		{context: "production", wrong: "tilt up -- --context=production"},
		{context: "production", flag: "mine", wrong: "context production is not of kind, k3d or minikube"},
	} {
		p := &plan{root: root, context: c.context, flags: map[string]string{}, render: kubectl}
		if c.flag != "" {
			p.flags["context"] = c.flag
		}
		err := p.run()
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("context %s: %v, expected %q", c.context, err, c.wrong)
			}
			continue
		}
		if err != nil || p.builds[0].command != c.command {
			t.Errorf("context %s: %v, builds %+v, expected %q", c.context, err, p.builds, c.command)
		}
		if own := c.flag != ""; own != (len(p.allowed) > 0) {
			t.Errorf("context %s: allowed %q", c.context, p.allowed)
		}
	}
	p := &plan{root: root, context: "kind-lab", flags: map[string]string{"cassandra": "tripple"}, render: kubectl}
	if err := p.run(); err == nil || !strings.Contains(err.Error(), "--cassandra=tripple: expected single or k8ssandra") {
		t.Errorf("error %v", err)
	}
}

// TestCommands wants what resources and builds run to be there.
func TestCommands(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range tables {
		p := newPlan(t, flags)
		commands := []string{p.builds[0].command, "make load-test"}
		for _, r := range p.resources {
			commands = append(commands, r.command, r.serve)
		}
		for _, c := range commands {
			words := strings.Fields(c)
			if len(words) == 0 {
				continue
			}
			if words[0] == "make" {
				if !strings.Contains(string(makefile), "\n"+words[1]+":") {
					t.Errorf("%q: the Makefile has no such target", c)
				}
				continue
			}
			info, err := os.Stat(filepath.Join(root, words[0]))
			if err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%q: %v, expected a program", c, err)
			}
		}
	}
}
