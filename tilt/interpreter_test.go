package tilt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// plan is what a Tiltfile asks for.
type plan struct {
	root      string
	context   string            // of kubectl
	flags     map[string]string // behind --
	render    func(dir string) ([]object, error)
	allowed   []string // contexts
	objects   []object
	builds    []build
	resources []*resource
}

// object is one of Kubernetes, as rendered.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]any // of a ConfigMap
	Spec     struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Image string
					Ports []struct {
						ContainerPort int `yaml:"containerPort"`
					}
				}
			}
		}
	}
}

// workload says that Tilt makes a resource of the object by itself: it has pods.
func (o object) workload() bool { return len(o.Spec.Template.Spec.Containers) > 0 }

type build struct {
	ref, command string
	deps         []string
}

// resource is one line of Tilt's page.
type resource struct {
	name, command, serve string
	workload             bool // of the cluster, by its name
	objects              []string
	forwards             []int
	deps, labels         []string
	manual               bool
}

// run interprets the Tiltfile of a tree, and refuses what Tilt would refuse.
func (p *plan) run() error {
	config := starlarkstruct.FromStringDict(starlark.String("config"), starlark.StringDict{
		"define_string": p.builtin("define_string", p.define), "parse": p.builtin("parse", p.parse),
	})
	known := starlark.StringDict{"config": config, "TRIGGER_MODE_MANUAL": starlark.String("manual")}
	for name, fn := range map[string]function{
		"allow_k8s_contexts": p.allow, "k8s_context": p.k8sContext, "custom_build": p.customBuild,
		"kustomize": p.kustomize, "k8s_yaml": p.k8sYAML, "port_forward": p.portForward, "k8s_resource": p.k8sResource,
		"local_resource": p.localResource,
	} {
		known[name] = p.builtin(name, fn)
	}
	options := &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true}
	file := filepath.Join(p.root, "Tiltfile")
	if _, err := starlark.ExecFileOptions(options, &starlark.Thread{}, file, nil, known); err != nil {
		var failed *starlark.EvalError
		if errors.As(err, &failed) {
			return errors.New(failed.Backtrace())
		}
		return err
	}
	return p.check()
}

type function func(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

func (p *plan) builtin(name string, fn function) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(
		_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
	) (starlark.Value, error) {
		v, err := fn(args, kwargs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
		return v, nil
	})
}

func (p *plan) define(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, usage string
	return starlark.None, starlark.UnpackArgs("define_string", args, kwargs, "name", &name, "usage?", &usage)
}

func (p *plan) parse(starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	flags := starlark.NewDict(len(p.flags))
	for name, value := range p.flags {
		if err := flags.SetKey(starlark.String(name), starlark.String(value)); err != nil {
			return nil, err
		}
	}
	return flags, nil
}

func (p *plan) allow(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var context string
	err := starlark.UnpackArgs("allow_k8s_contexts", args, kwargs, "contexts", &context)
	p.allowed = append(p.allowed, context)
	return starlark.None, err
}

func (p *plan) k8sContext(starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return starlark.String(p.context), nil
}

func (p *plan) customBuild(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var b build
	var deps, ignore *starlark.List
	var local, push bool
	err := starlark.UnpackArgs("custom_build", args, kwargs, "ref", &b.ref, "command", &b.command, "deps", &deps,
		"ignore?", &ignore, "skips_local_docker?", &local, "disable_push?", &push)
	if err == nil && (!local || !push) {
		err = errors.New("without skips_local_docker and disable_push Tilt looks for the image in Docker, and pushes it")
	}
	b.deps = texts(deps)
	p.builds = append(p.builds, b)
	return starlark.None, err
}

func (p *plan) kustomize(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var dir string
	err := starlark.UnpackArgs("kustomize", args, kwargs, "pathToDir", &dir)
	return starlark.String(dir), err
}

func (p *plan) k8sYAML(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var dir string
	if err := starlark.UnpackArgs("k8s_yaml", args, kwargs, "yaml", &dir); err != nil {
		return nil, err
	}
	objects, err := p.render(filepath.Join(p.root, dir))
	p.objects = append(p.objects, objects...)
	return starlark.None, err
}

func (p *plan) portForward(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var local, container int
	var name string
	err := starlark.UnpackArgs("port_forward", args, kwargs, "local_port", &local, "container_port?", &container,
		"name?", &name)
	if container == 0 {
		container = local
	}
	return starlark.MakeInt(container), err
}

func (p *plan) k8sResource(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var workload, rename, readiness string
	var objects, forwards, deps, labels *starlark.List
	err := starlark.UnpackArgs("k8s_resource", args, kwargs, "workload?", &workload, "new_name?", &rename,
		"port_forwards?", &forwards, "resource_deps?", &deps, "objects?", &objects, "pod_readiness?", &readiness,
		"labels?", &labels)
	if err == nil && readiness != "" && readiness != "ignore" && readiness != "wait" {
		err = fmt.Errorf("pod_readiness %q: expected ignore or wait", readiness)
	}
	r := &resource{name: workload, workload: workload != "", objects: texts(objects), deps: texts(deps),
		labels: texts(labels)}
	if rename != "" {
		r.name = rename
	}
	if forwards != nil {
		for v := range forwards.Elements() {
			n, _ := starlark.AsInt32(v) // what port_forward gave
			r.forwards = append(r.forwards, n)
		}
	}
	p.resources = append(p.resources, r)
	return starlark.None, err
}

func (p *plan) localResource(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	r := &resource{}
	var auto, mode = true, ""
	var deps, labels *starlark.List
	err := starlark.UnpackArgs("local_resource", args, kwargs, "name", &r.name, "cmd?", &r.command, "serve_cmd?", &r.serve,
		"auto_init?", &auto, "trigger_mode?", &mode, "resource_deps?", &deps, "labels?", &labels)
	r.deps, r.labels, r.manual = texts(deps), texts(labels), !auto && mode == "manual"
	p.resources = append(p.resources, r)
	return starlark.None, err
}

func texts(l *starlark.List) (all []string) {
	if l == nil {
		return nil
	}
	for v := range l.Elements() {
		s, _ := starlark.AsString(v) // "" fails a check
		all = append(all, s)
	}
	return all
}

// check refuses what Tilt finds out when the file has ended.
func (p *plan) check() error {
	var names []string
	for _, r := range p.resources {
		names = append(names, r.name)
	}
	for i, r := range p.resources {
		if slices.Contains(names[:i], r.name) {
			return fmt.Errorf("resource %q: it is there twice", r.name)
		}
		if err := p.checkResource(r, names); err != nil {
			return fmt.Errorf("resource %q: %w", r.name, err)
		}
	}
	return nil
}

func (p *plan) checkResource(r *resource, names []string) error {
	if r.workload && p.find(r.name) == nil {
		return fmt.Errorf("no workload of that name is deployed: found %q", p.workloads())
	}
	for _, selector := range r.objects {
		if n := p.matches(selector); n != 1 {
			return fmt.Errorf("object %q: found %d, expected 1", selector, n)
		}
	}
	for _, dep := range r.deps {
		if !slices.Contains(names, dep) {
			return fmt.Errorf("it depends on %q, which is not there", dep)
		}
	}
	for _, port := range r.forwards {
		if !p.find(r.name).listens(port) {
			return fmt.Errorf("no container of it listens on port %d", port)
		}
	}
	return nil
}

func (o *object) listens(port int) bool {
	for _, c := range o.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.ContainerPort == port {
				return true
			}
		}
	}
	return false
}

// find gives the workload of a name, or nil.
func (p *plan) find(name string) *object {
	for i, o := range p.objects {
		if o.workload() && o.Metadata.Name == name {
			return &p.objects[i]
		}
	}
	return nil
}

func (p *plan) workloads() (names []string) {
	for _, o := range p.objects {
		if o.workload() {
			names = append(names, o.Metadata.Name)
		}
	}
	return names
}

// matches counts the objects that a selector (name:kind) means.
func (p *plan) matches(selector string) (n int) {
	name, kind, _ := strings.Cut(selector, ":")
	for _, o := range p.objects {
		if o.Metadata.Name == name && strings.EqualFold(o.Kind, kind) {
			n++
		}
	}
	return n
}

// kubectl renders a folder.
func kubectl(dir string) ([]object, error) {
	var problems bytes.Buffer
	cmd := exec.Command("kubectl", "kustomize", dir)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("kubectl kustomize %s: %w: %s", dir, err, problems.String())
	}
	var all []object
	for d := yaml.NewDecoder(bytes.NewReader(out)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("kubectl kustomize %s: %w", dir, err)
		}
		all = append(all, o)
	}
}
