package tools

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script writes an executable shell script. The tests here change the environment, so that they cannot be parallel.
func script(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyCache(t *testing.T) {
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
	_, program := Program("minio")
	_, jars := CassandraJars()
	for _, err := range []error{program, jars} {
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "make setup") {
			t.Errorf("error %v: expected ErrMissing, which names make setup", err)
		}
	}
}

func TestJavaVersions(t *testing.T) {
	tests := map[string]bool{ // what java -version says: whether Cassandra runs on it
		`openjdk version "17.0.15" 2025-04-15`: true,
		`openjdk version "21" 2023-09-19`:      true,
		`java version "1.8.0_292"`:             false,
		`openjdk version "11.0.2" 2019-01-15`:  false,
		`openjdk version "25" 2025-09-16`:      false,
		`no version at all`:                    false,
	}
	for says, want := range tests {
		t.Run(says, func(t *testing.T) {
			home := t.TempDir()
			java := filepath.Join(home, "bin", "java")
			script(t, java, fmt.Sprintf("echo '%s' >&2", says))
			t.Setenv("JAVA_HOME", home)
			got, err := Java(t.Context())
			if (got == java) != want {
				t.Errorf("Java = %q, %v: expected the one in JAVA_HOME: %v", got, err, want)
			}
		})
	}
}

// TestPackages has no mvn in the path, and an apt-get that installs one.
func TestPackages(t *testing.T) {
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
	path := t.TempDir()
	t.Setenv("PATH", path)
	in := Installer{Log: t.Output()}
	err := in.packages(t.Context())
	if err == nil || !strings.Contains(err.Error(), "openjdk-17-jdk-headless maven") {
		t.Errorf("without apt-get: %v: expected what to install", err)
	}
	calls := filepath.Join(path, "calls")
	script(t, filepath.Join(path, "apt-cache"), "true")
	script(t, filepath.Join(path, "apt-get"), fmt.Sprintf(
		`echo "$@" >> %s; case "$2" in install) echo '#!/bin/sh' > %[2]s; /bin/chmod +x %[2]s;; esac`,
		calls, filepath.Join(path, "mvn")))
	home := t.TempDir()
	script(t, filepath.Join(home, "bin", "java"), `echo 'version "17"'`)
	t.Setenv("JAVA_HOME", home)
	if os.Geteuid() != 0 {
		if in.packages(t.Context()) == nil {
			t.Error("apt-get was run by another than root")
		}
		return
	}
	if err := in.packages(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(calls)
	want := "-qq update\n-qq install -y --no-install-recommends openjdk-17-jdk-headless maven\n"
	if err != nil || string(got) != want {
		t.Errorf("apt-get was called with %q (%v): expected %q", got, err, want)
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		failures, pauses int
		ok               bool
	}{
		"at once":         {0, 2, true},
		"at the last try": {2, 2, true},
		"one try too few": {3, 2, false},
		"no second try":   {1, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			in := Installer{Log: &log, Pauses: make([]time.Duration, tt.pauses)}
			tries := 0
			err := in.step(t.Context(), "it", func() *exec.Cmd {
				tries++
				if tries > tt.failures {
					return exec.Command("true")
				}
				return exec.Command("sh", "-c", "echo why it failed; exit 1")
			})
			if (err == nil) != tt.ok {
				t.Errorf("error %v: expected success: %v\n%s", err, tt.ok, &log)
			}
			if err != nil && !strings.Contains(err.Error(), "why it failed") {
				t.Errorf("error %v: expected the command's output", err)
			}
		})
	}
}

// TestBuildsOnce has no go to build with: what is there in its version needs none.
func TestBuildsOnce(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("PENSTOCK_CACHE", cache)
	t.Setenv("PATH", t.TempDir())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(cache, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(cache, "bin", "tool")); err != nil {
		t.Fatal(err)
	}
	in := Installer{Log: t.Output()}
	there := goTool{"tool", info.Main.Path, info.Main.Version}
	if err := in.goBuild(t.Context(), there, there.path); err != nil {
		t.Errorf("%v: expected no build, as %q is there", err, there.version)
	}
	newer := goTool{"tool", info.Main.Path, "v9.9.9"}
	if err := in.goBuild(t.Context(), newer, newer.path); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v: expected a build of another version, for which there is no go", err)
	}
}

func TestKubePrograms(t *testing.T) {
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
	path := t.TempDir()
	t.Setenv("PATH", path)
	_, kubelet := KubeProgram("kubelet")
	_, adapter := KEDAProgram("adapter")
	_, config := KEDAConfig()
	for _, err := range []error{kubelet, adapter, config} {
		if !errors.Is(err, ErrNoKube) || !strings.Contains(err.Error(), "make kube-setup") {
			t.Errorf("error %v: expected ErrNoKube, which names make kube-setup", err)
		}
	}
	script(t, filepath.Join(path, "kubectl"), "true")
	if got, err := KubeProgram("kubectl"); got != filepath.Join(path, "kubectl") {
		t.Errorf("kubectl is %q, %v: expected the machine's", got, err)
	}
	in := Installer{Log: t.Output()}
	err := in.kubePackages(t.Context())
	if err == nil || !strings.Contains(err.Error(), "containerd runc buildah etcd-server") {
		t.Errorf("without apt-get: %v: expected what to install", err)
	}
}
