package kube

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/template"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/child"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

//go:embed files
var files embed.FS

var templates = template.Must(template.ParseFS(files, "files/*"))

// starter is what Start needs while it starts.
type starter struct {
	*Cluster
	log      io.Writer
	begin    time.Time
	failed   chan error        // of processes that ended
	programs map[string]string // paths by name
	cni      string            // folder of the plugins
	config   string            // folder of KEDA's own manifests
}

// Check says what a cluster lacks on this machine: a program that is not there.
func Check() error { return new(starter).find() }

// find looks for every program before the first starts.
func (s *starter) find() error {
	s.programs = map[string]string{}
	kube := []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}
	var err error
	for _, name := range kube {
		if s.programs[name], err = tools.KubeProgram(name); err != nil {
			return err
		}
	}
	for _, name := range []string{"operator", "adapter"} {
		if s.programs["keda-"+name], err = tools.KEDAProgram(name); err != nil {
			return err
		}
	}
	for _, name := range []string{"etcd", "containerd", "ctr", "buildah", "runc"} {
		if s.programs[name], err = exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: %w", err, tools.ErrNoKube)
		}
	}
	if s.cni, err = tools.CNIPlugins(); err != nil {
		return err
	}
	s.config, err = tools.KEDAConfig()
	return err
}

// run starts a process that must last as long as the cluster does; what it says goes into a log of its name.
func (s *starter) run(name string, env []string, args ...string) error {
	out, err := os.Create(s.path("log", name+".log"))
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer out.Close() // the process has its own copy
	cmd := exec.Command(s.programs[name], args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	p, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		select {
		case s.failed <- fmt.Errorf("%s ended: %v; its log ends:\n%s", name, p.Err(), tail(out.Name())):
		default: // the first ones tell enough
		}
	}()
	return nil
}

// up says that something is there.
func (s *starter) up(what string) {
	fmt.Fprintf(s.log, "kube: %s after %.1f s\n", what, time.Since(s.begin).Seconds())
}

// render writes one of the embedded files, filled in, into the cluster's folder and returns its path.
func (s *starter) render(name string, elem ...string) (string, error) {
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, name, map[string]string{
		"Dir": s.dir, "Group": cgroupOf(s.dir), "CNI": s.cni, "Bridge": Bridge, "Address": Address, "Pods": pods,
		"Authority": s.authority64(),
	})
	if err != nil {
		return "", fmt.Errorf("fill in %s: %w", name, err)
	}
	path := s.path(append(elem, name)...)
	return path, os.WriteFile(path, b.Bytes(), 0o644)
}

// tail is the end of a log.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-3000):]))
}
