package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The Kubernetes and the KEDA that `make e2e` runs. 1.36 is the last minor release that talks to containerd 1.6, which
// is Debian 12's.
const (
	KubernetesVersion = "1.36.3"
	KEDAVersion       = "2.21.0"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	kedaModule       = "github.com/kedacore/keda/v2"
)

// kubePrograms are built one by one, so that what breaks off goes on where it was.
var kubePrograms = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"}

var kedaPrograms = []string{"operator", "adapter"}

// KubeProgram returns the path of a program of Kubernetes, such as kubelet; kubectl is the machine's where it has one.
// The error is ErrNoKube where there is none.
func KubeProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && name == "kubectl" {
		return path, nil
	}
	return kubeCached("kubernetes-"+KubernetesVersion, name)
}

// KEDAProgram returns the path of KEDA's operator or adapter. The error is ErrNoKube where there is none.
func KEDAProgram(name string) (string, error) { return kubeCached("keda-"+KEDAVersion, name) }

// KEDAConfig returns the folder of KEDA's own manifests: CRDs and roles. The error is ErrNoKube where there is none.
func KEDAConfig() (string, error) { return kubeCached("keda-"+KEDAVersion, "source", "config") }

func kubeCached(elem ...string) (string, error) {
	path, err := cached(elem...)
	if err != nil {
		return "", fmt.Errorf("%s is not in the cache: %w", filepath.Join(elem...), ErrNoKube)
	}
	return path, nil
}

// Kubernetes installs what a cluster on this machine needs: containerd, etcd and their kin where this process may, the
// programs of Kubernetes and KEDA, built from source, and Servers. It takes 20 minutes of two cores. A second call
// finds all there, and one after a break goes on. All is built at once: whoever downloads or links leaves a core idle.
func (in Installer) Kubernetes(ctx context.Context) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(cache, "kube.lock")) // its own: tests that need no cluster must not wait for it
	if err != nil {
		return err
	}
	defer unlock()
	if err := in.kubePackages(ctx); err != nil {
		return err
	}
	return together(
		func() error { return in.buildKEDA(ctx, filepath.Join(cache, "keda-"+KEDAVersion)) },
		func() error { return in.buildKubernetes(ctx, filepath.Join(cache, "kubernetes-"+KubernetesVersion)) },
		func() error { return in.Servers(ctx) },
	)
}

// buildKubernetes builds in a module of its own, in which the staging folders of Kubernetes are the modules that are
// published of them.
func (in Installer) buildKubernetes(ctx context.Context, dir string) error {
	programs := kubePrograms
	if _, err := exec.LookPath("kubectl"); err != nil {
		programs = append(slices.Clone(programs), "kubectl")
	}
	for _, name := range programs {
		if exists(filepath.Join(dir, name)) {
			continue
		}
		if err := in.kubernetesModule(ctx, filepath.Join(dir, "source")); err != nil {
			return err
		}
		err := in.buildGo(ctx, filepath.Join(dir, "source"), filepath.Join(dir, name), kubernetesFlags(),
			kubernetesModule+"/cmd/"+name)
		if err != nil {
			return err
		}
	}
	return nil
}

// kubernetesFlags have the programs tell their version, which clients and the kubelet compare.
func kubernetesFlags() string {
	flags := "-s -w"
	part := strings.Split(KubernetesVersion, ".")
	for name, value := range map[string]string{
		"gitVersion": "v" + KubernetesVersion, "gitMajor": part[0], "gitMinor": part[1], "gitTreeState": "clean",
	} {
		flags += " -X k8s.io/component-base/version." + name + "=" + value
	}
	return flags
}

var stagingRE = regexp.MustCompile(`(?m)^\s*(?:replace )?(k8s\.io/[a-z0-9-]+) => \./staging/`)

// kubernetesModule makes the module and fetches what it takes.
func (in Installer) kubernetesModule(ctx context.Context, dir string) error {
	if exists(filepath.Join(dir, "complete")) {
		return nil
	}
	module, err := in.download(ctx, kubernetesModule+"@v"+KubernetesVersion)
	if err != nil {
		return err
	}
	published, err := os.ReadFile(module.GoMod)
	if err != nil {
		return fmt.Errorf("read go.mod of Kubernetes: %w", err)
	}
	mod := "module penstock/kubernetes\n\ngo 1.26.0\n\n"
	for _, m := range stagingRE.FindAllStringSubmatch(string(published), -1) {
		mod += fmt.Sprintf("replace %s => %[1]s v0.%s\n", m[1], strings.TrimPrefix(KubernetesVersion, "1."))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of Kubernetes: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return fmt.Errorf("write go.mod for Kubernetes: %w", err)
	}
	args := []string{"get", "-tool"}
	for _, name := range append(slices.Clone(kubePrograms), "kubectl") {
		args = append(args, kubernetesModule+"/cmd/"+name+"@v"+KubernetesVersion)
	}
	if err := in.step(ctx, "modules of Kubernetes", func() *exec.Cmd { return goCommand(ctx, dir, args...) }); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// buildKEDA builds inside a copy of KEDA's own module, whose replacements would not hold elsewhere.
func (in Installer) buildKEDA(ctx context.Context, dir string) error {
	source := filepath.Join(dir, "source")
	for _, name := range kedaPrograms {
		if exists(filepath.Join(dir, name)) {
			continue
		}
		if err := in.kedaSource(ctx, source); err != nil {
			return err
		}
		flags := "-s -w -X " + kedaModule + "/version.Version=" + KEDAVersion
		if err := in.buildGo(ctx, source, filepath.Join(dir, name), flags, "./cmd/"+name); err != nil {
			return err
		}
	}
	return nil
}

func (in Installer) kedaSource(ctx context.Context, dir string) error {
	if exists(dir) {
		return nil
	}
	module, err := in.download(ctx, kedaModule+"@v"+KEDAVersion)
	if err != nil {
		return err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("remove what is left of KEDA's source: %w", err)
	}
	if err := os.CopyFS(part, os.DirFS(module.Dir)); err != nil {
		return fmt.Errorf("copy KEDA's source: %w", err)
	}
	return os.Rename(part, dir)
}

// module is what `go mod download -json` tells.
type module struct{ Dir, GoMod string }

func (in Installer) download(ctx context.Context, what string) (module, error) {
	var out module
	command := func(flags ...string) *exec.Cmd {
		return goCommand(ctx, os.TempDir(), append(append([]string{"mod", "download"}, flags...), what)...)
	}
	if err := in.step(ctx, what, func() *exec.Cmd { return command() }); err != nil {
		return out, err
	}
	told, err := command("-json").Output()
	if err != nil {
		return out, fmt.Errorf("find %s: %w", what, err)
	}
	if err := json.Unmarshal(told, &out); err != nil {
		return out, fmt.Errorf("find %s: %w", what, err)
	}
	return out, nil
}

// quickly leaves out what makes programs faster and takes the compiler a quarter of its time.
const quickly = "-gcflags=all=-l -dwarf=false"

// buildGo builds a static program, which appears at path when it is whole.
func (in Installer) buildGo(ctx context.Context, dir, path, flags, pkg string) error {
	what := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
	err := in.step(ctx, what, func() *exec.Cmd {
		return goCommand(ctx, dir, "build", "-mod=mod", "-trimpath", quickly, "-ldflags", flags, "-o", path+".part", pkg)
	})
	if err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	return cmd
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
