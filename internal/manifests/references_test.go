package manifests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReferences holds what pods mount, read and run as to be there: objects that are rendered with them, or
// secrets that manifests/README.md tells people to make.
func TestReferences(t *testing.T) {
	t.Parallel()
	documented := documentedSecrets(t)
	onEach(t, func(t *testing.T, objects []Object) {
		there := map[string]bool{"ServiceAccount/default": true}
		for _, o := range objects {
			there[o.String()] = true
		}
		for name, pod := range started(objects) {
			for _, reference := range references(pod) {
				secret, isSecret := strings.CutPrefix(reference, "Secret/")
				if !there[reference] && (!isSecret || !slices.Contains(documented, secret)) {
					t.Errorf("%s refers to %s, which is not there: make it, or tell of the secret in manifests/README.md",
						name, reference)
				}
			}
		}
	})
}

// references are the objects that a pod needs in order to start, as Kind/name.
func references(pod Object) []string {
	found := []string{"ServiceAccount/" + pod.Text("serviceAccountName")}
	for path, value := range pod.Walk() {
		name, isName := value.(string)
		switch {
		case !isName:
		case strings.HasSuffix(path, "onfigMapRef.name"), strings.HasSuffix(path, "configMap.name"),
			strings.HasSuffix(path, "configMapKeyRef.name"):
			found = append(found, "ConfigMap/"+name)
		case strings.HasSuffix(path, "secretName"), strings.HasSuffix(path, "secret.name"),
			strings.HasSuffix(path, "secretKeyRef.name"):
			found = append(found, "Secret/"+name)
		}
	}
	return found
}

var secretRow = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|")

func documentedSecrets(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	must(t, err)
	var names []string
	for _, m := range secretRow.FindAllSubmatch(readme, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// TestSecretKeys holds what is mounted of a secret to keys that the example has.
func TestSecretKeys(t *testing.T) {
	t.Parallel()
	objects := overlay(t, "dev")
	for name, pod := range pods(objects) {
		for _, volume := range pod.List("volumes") {
			for _, source := range volume.List("projected.sources") {
				secret := find(t, objects, "Secret", unhashed(source.Text("secret.name")))
				for _, item := range source.List("secret.items") {
					if _, ok := labels(secret, "data")[item.Text("key")]; !ok {
						t.Errorf("%s mounts the key %s of %s, which has only %v", name, item.Text("key"), secret,
							labels(secret, "data"))
					}
				}
			}
		}
	}
}

// TestNoSecrets holds secrets out of everything but the overlays for development, where they are examples.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, objects []Object) {
		if !strings.Contains(t.Name(), "/production") && !strings.Contains(t.Name(), "base_and") {
			return
		}
		for _, o := range all(objects, "Secret") {
			if len(labels(o, "data"))+len(labels(o, "stringData")) > 0 {
				t.Errorf("%s holds data", o)
			}
		}
	})
	for _, o := range all(overlay(t, "dev"), "Secret") {
		_, err := os.Stat(filepath.Join(root, "overlays/dev/secrets.example",
			strings.TrimPrefix(unhashed(o.Name()), "penstock-")+".env"))
		if err != nil {
			t.Errorf("%s is of no example: %v", o, err)
		}
	}
}

// TestImages holds images to be pinned.
func TestImages(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, objects []Object) {
		for _, o := range objects {
			for path, value := range o.Walk() {
				image, isText := value.(string)
				if !isText || !strings.HasSuffix(path, ".image") {
					continue
				}
				_, tag, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
				if tag == "" || strings.HasPrefix(tag, "latest") {
					t.Errorf("%s: the image %q of %s has no fixed version", o, image, path)
				}
			}
		}
	})
}
