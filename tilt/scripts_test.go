package tilt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tools makes programs that note how they are called, in a folder that stands first in the PATH.
func tools(t *testing.T, names ...string) (env []string, called func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "called")
	for _, name := range names {
		script := "#!/bin/sh\necho \"" + name + " $*\" >> '" + log + "'\n"
		if name == "kubectl" {
			script += "echo arm64\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	return env, func() string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

// TestImage hands the image to each kind of cluster, or to its registry.
func TestImage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tool, name, registry, last string }{
		{tool: "kind", name: "lab", last: "kind load image-archive --name lab "},
		{tool: "k3d", name: "lab", last: "k3d image import --cluster lab "},
		{tool: "minikube", name: "lab", last: "minikube --profile lab image load "},
		{tool: "containerd", name: "k8s.io", last: "ctr --namespace k8s.io images import "},
		{tool: "kind", name: "lab", registry: "localhost:5000", last: "docker push --quiet localhost/penstock:x"},
	} {
		env, called := tools(t, "kubectl", "go", "docker", "kind", "k3d", "minikube", "ctr")
		cmd := exec.Command("./image", c.tool, c.name)
		cmd.Env = append(env, "EXPECTED_REF=localhost/penstock:x", "EXPECTED_REGISTRY="+c.registry)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%+v: %v\n%s", c, err, out)
			continue
		}
		lines := strings.Split(strings.TrimSpace(called()), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, c.last) {
			t.Errorf("%+v: at last %q", c, last)
		}
		if !strings.Contains(called(), "docker build --quiet --platform linux/arm64 --tag localhost/penstock:x") {
			t.Errorf("%+v: called\n%s", c, called())
		}
	}
}

// TestEnvironment finds each secret of the overlay's examples.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("bash", "-euc", ". tilt/environment; env")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{
		"PENSTOCK_NATS_PASSWORD", "PENSTOCK_S3_ACCESS_KEY", "PENSTOCK_S3_SECRET_KEY", "PENSTOCK_CASSANDRA_USERNAME",
		"PENSTOCK_CASSANDRA_PASSWORD",
	} {
		_, rest, found := strings.Cut(string(out), "\n"+name+"=")
		if !found || strings.HasPrefix(rest, "\n") {
			t.Errorf("%s is empty: expected the example's", name)
		}
	}
}

// TestDemo brings each file to the store, and has a pod apply its pipeline and load it: Cassandra's addresses are the
// pods' alone.
func TestDemo(t *testing.T) {
	t.Parallel()
	env, called := tools(t, "kubectl", "curl")
	cmd := exec.Command("tilt/demo")
	cmd.Dir, cmd.Env = root, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := called()
	const pod = "kubectl --namespace penstock exec --stdin deployment/penstock-dispatcher -- /penstock "
	for _, file := range []string{"artists.ndjson", "lyrics.ndjson", "meetups.csv"} {
		pipeline, _, _ := strings.Cut(file, ".")
		for _, want := range []string{
			" --upload-file examples/lyrics/" + file + " http://127.0.0.1:9000/demo/" + file + "\n",
			pod + "apply -\n",
			pod + "submit --wait " + pipeline + " s3://demo/" + file + "\n",
		} {
			_, rest, found := strings.Cut(got, want)
			if !found {
				t.Fatalf("expected %q next, of the calls\n%s", want, called())
			}
			got = rest
		}
	}
	if strings.Contains(called(), "dev-penstock") {
		t.Errorf("a password is among the arguments:\n%s", called())
	}
}
