// Package manifests renders what manifests/ would have Kubernetes make, for tests. The tests here hold it together:
// that it renders, that names agree with one another and with the program's, that pods may do no more than they
// must, that alerts speak when they should.
//
// What must never happen: a manifest that is proven by reading it, and a name in manifests/ that is another's in the
// code without a test that fails.
package manifests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// Object is one object of Kubernetes, as decoded from YAML.
type Object map[string]any

// Render has kustomize render an overlay. The error is tools.ErrMissing where kustomize is not installed.
func Render(ctx context.Context, folder string) ([]Object, error) {
	if err := look(filepath.Join(folder, "../..")); err != nil {
		return nil, fmt.Errorf("render %s: %w", folder, err)
	}
	documents, err := build(ctx, folder)
	if err != nil {
		return nil, err
	}
	return decode(documents)
}

// look asks for the times of all files below a folder. kustomize reads them in a process of its own: Go takes a test
// that looks at none of them for one that need not run again when they change.
func look(folder string) error {
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
}

// build gives what kustomize prints.
func build(ctx context.Context, folder string) ([]byte, error) {
	kustomize, err := tools.Program("kustomize")
	if err != nil {
		return nil, err
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, kustomize, "build", folder)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w\n%s", folder, err, errs.Bytes())
	}
	return out, nil
}

func decode(documents []byte) ([]Object, error) {
	var objects []Object
	for d := yaml.NewDecoder(bytes.NewReader(documents)); ; {
		var o Object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("decode object %d: %w", len(objects)+1, err)
		case o != nil:
			objects = append(objects, o)
		}
	}
}

// Kind is the object's kind.
func (o Object) Kind() string { return o.Text("kind") }

// Name is the object's name.
func (o Object) Name() string { return o.Text("metadata.name") }

// String names the object as people do: Kind/name.
func (o Object) String() string { return o.Kind() + "/" + o.Name() }

// At is the value at a path of keys and, in lists, numbers: spec.containers.0.image. It is nil where there is none.
func (o Object) At(path string) any {
	var at any = map[string]any(o)
	for key := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

// Text is the text or number at a path, "" where there is none.
func (o Object) Text(path string) string {
	switch v := o.At(path).(type) {
	case nil, map[string]any, []any:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// List are the objects of the list at a path.
func (o Object) List(path string) []Object {
	values, _ := o.At(path).([]any)
	var list []Object
	for _, v := range values {
		if m, ok := v.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

// Walk yields every value below the object with its path, outer ones first.
func (o Object) Walk() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) { walk("", map[string]any(o), yield) }
}

func walk(path string, value any, yield func(string, any) bool) bool {
	if path != "" && !yield(path, value) {
		return false
	}
	below := func(key string, v any) bool { return walk(strings.TrimPrefix(path+"."+key, "."), v, yield) }
	switch v := value.(type) {
	case map[string]any:
		for key, value := range v {
			if !below(key, value) {
				return false
			}
		}
	case []any:
		for i, value := range v {
			if !below(strconv.Itoa(i), value) {
				return false
			}
		}
	}
	return true
}

// PodPaths are where kinds of objects hold the spec of their pods.
var PodPaths = map[string]string{
	"Deployment": "spec.template.spec", "StatefulSet": "spec.template.spec", "Job": "spec.template.spec",
	"CronJob": "spec.jobTemplate.spec.template.spec",
}
