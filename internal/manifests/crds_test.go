package manifests

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// crds are files of CustomResourceDefinitions: go test ./internal/manifests -run CustomResources -crds a.yaml,b.yaml
// writes what of them our objects touch to testdata/crds.
var crds = flag.String("crds", "", "CustomResourceDefinitions to take testdata/crds from, commas between them")

// schema is what a CustomResourceDefinition says of a value. Of fields that no object of ours has, only the name is
// kept.
type schema struct {
	Type        string            `json:"type,omitempty"`
	Enum        []any             `json:"enum,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Properties  map[string]schema `json:"properties,omitempty"`
	Items       *schema           `json:"items,omitempty"`
	Additional  *schema           `json:"additionalProperties,omitempty"`
	Preserve    bool              `json:"x-kubernetes-preserve-unknown-fields,omitempty"`
	IntOrString bool              `json:"x-kubernetes-int-or-string,omitempty"`
}

// TestCustomResources holds objects whose controllers cannot run here to the fields that their definitions document.
func TestCustomResources(t *testing.T) {
	t.Parallel()
	custom := map[string][]Object{}
	for _, name := range names(t, "overlays") {
		collect(custom, overlay(t, name))
	}
	for _, name := range names(t, "components") {
		collect(custom, component(t, name))
	}
	for _, path := range strings.FieldsFunc(*crds, func(r rune) bool { return r == ',' }) {
		take(t, path, custom)
	}
	for kind, objects := range custom {
		data, err := os.ReadFile(filepath.Join("testdata/crds", kind+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is no schema of %s: fetch its CustomResourceDefinition, and take it over with -crds", kind)
			continue
		}
		must(t, err)
		var s schema
		must(t, json.Unmarshal(data, &s))
		for _, o := range objects {
			for _, fault := range s.check(o.String(), map[string]any(o)) {
				t.Error(fault)
			}
		}
	}
	if len(custom) < 6 {
		t.Errorf("found kinds %v, expected six at least", custom)
	}
}

// collect adds the objects of kinds that Kubernetes itself does not know.
func collect(custom map[string][]Object, objects []Object) {
	for _, o := range objects {
		group, _, isGroup := strings.Cut(o.Text("apiVersion"), "/")
		if isGroup && strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io") {
			custom[o.Kind()] = append(custom[o.Kind()], o)
		}
	}
}

// take writes the schema of the version that our objects are of.
func take(t *testing.T, path string, custom map[string][]Object) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	objects, err := decode(data)
	must(t, err)
	for _, o := range objects {
		kind := o.Text("spec.names.kind")
		for _, version := range o.List("spec.versions") {
			ours := custom[kind]
			if len(ours) == 0 || ours[0].Text("apiVersion") != o.Text("spec.group")+"/"+version.Text("name") {
				continue
			}
			text, err := json.Marshal(version.At("schema.openAPIV3Schema"))
			must(t, err)
			var s schema
			must(t, json.Unmarshal(text, &s))
			values := make([]any, len(ours))
			for i, o := range ours {
				values[i] = map[string]any(o)
			}
			text, err = json.MarshalIndent(s.prune(values), "", " ")
			must(t, err)
			must(t, os.WriteFile(filepath.Join("testdata/crds", kind+".json"), append(text, '\n'), 0o644))
		}
	}
}

// prune keeps what the values touch.
func (s schema) prune(values []any) schema {
	var below []any
	fields := map[string][]any{}
	for _, v := range values {
		switch v := v.(type) {
		case []any:
			below = append(below, v...)
		case map[string]any:
			for key, value := range v {
				fields[key] = append(fields[key], value)
				below = append(below, value)
			}
		}
	}
	kept := map[string]schema{}
	for name, property := range s.Properties {
		if len(fields[name]) == 0 {
			kept[name] = schema{}
			continue
		}
		kept[name] = property.prune(fields[name])
	}
	s.Properties = kept
	for _, inner := range []**schema{&s.Items, &s.Additional} {
		if *inner != nil {
			pruned := (*inner).prune(below)
			*inner = &pruned
		}
	}
	return s
}

// check gives what is wrong with a value.
func (s schema) check(path string, value any) (faults []string) {
	if !s.fits(value) {
		return []string{fmt.Sprintf("%s is %v, expected %s%v", path, value, s.Type, s.Enum)}
	}
	switch v := value.(type) {
	case []any:
		for i, e := range v {
			if s.Items != nil {
				faults = append(faults, s.Items.check(fmt.Sprintf("%s[%d]", path, i), e)...)
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				faults = append(faults, fmt.Sprintf("%s lacks %s", path, name))
			}
		}
		for key, e := range v {
			faults = append(faults, s.checkField(path, key, e)...)
		}
	}
	return faults
}

func (s schema) checkField(path, key string, value any) []string {
	property, known := s.Properties[key]
	switch {
	case known && reflect.DeepEqual(property, schema{}):
		return []string{fmt.Sprintf("%s.%s is new to us: take its definition over with -crds", path, key)}
	case known:
		return property.check(path+"."+key, value)
	case s.Additional != nil:
		return s.Additional.check(path+"."+key, value)
	case s.Preserve || len(s.Properties) == 0:
		return nil
	}
	return []string{fmt.Sprintf("%s has the field %s, which its definition does not know", path, key)}
}

func (s schema) fits(value any) bool {
	kinds := map[string]string{}
	switch value.(type) {
	case string:
		kinds["string"] = "is"
	case bool:
		kinds["boolean"] = "is"
	case uint64, int64, int:
		kinds["integer"], kinds["number"] = "is", "is"
	case float64:
		kinds["number"] = "is"
	case []any:
		kinds["array"] = "is"
	case map[string]any:
		kinds["object"] = "is"
	}
	typed := s.Type == "" || kinds[s.Type] != "" || s.IntOrString && (kinds["string"] != "" || kinds["integer"] != "")
	return typed && (len(s.Enum) == 0 || slices.Contains(s.Enum, value))
}

// TestUnknownFields has the check itself find what it is for.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	objects := overlay(t, "production")
	data, err := os.ReadFile("testdata/crds/K8ssandraCluster.json")
	must(t, err)
	var s schema
	must(t, json.Unmarshal(data, &s))
	for _, c := range []struct {
		spoil func(spec map[string]any)
		says  string
	}{
		{func(spec map[string]any) { spec["racks"] = 3 }, "has the field racks, which its definition does not know"},
		{func(spec map[string]any) { spec["auth"] = "yes" }, "auth is yes, expected boolean"},
		{func(spec map[string]any) {
			Object(spec).At("reaper").(map[string]any)["tolerations"] = "none"
		}, "reaper.tolerations is new to us: take its definition over"},
		{func(spec map[string]any) {
			delete(Object(spec).At("cassandra.clientEncryptionStores").(map[string]any), "keystoreSecretRef")
		}, "lacks keystoreSecretRef"},
		{func(spec map[string]any) {
			Object(spec).At("medusa.storageProperties").(map[string]any)["storageProvider"] = "floppy"
		}, "storageProvider is floppy, expected string[google_storage"},
	} {
		cluster := find(t, overlay(t, "production"), "K8ssandraCluster", "penstock")
		c.spoil(cluster["spec"].(map[string]any))
		faults := s.check(cluster.String(), map[string]any(cluster))
		if len(faults) != 1 || !strings.Contains(faults[0], c.says) {
			t.Errorf("found %q, expected one that says %q", faults, c.says)
		}
	}
	if len(s.check("it", map[string]any(find(t, objects, "K8ssandraCluster", "penstock")))) > 0 {
		t.Error("the cluster as it is has faults")
	}
}
