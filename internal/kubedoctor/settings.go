package kubedoctor

import (
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/contracts"
)

// settings are what a component's pods run with: flags, then the environment, then the configuration file.
type settings struct {
	c         *installation
	pod       podSpec
	container container
}

// settings of a component; without its Deployment they are empty, and all is as by default.
func (c *installation) settings(component string) settings {
	if w := c.deployment(component); w != nil {
		if p := w.pod(); len(p.Containers) > 0 {
			return settings{c, p, p.Containers[0]}
		}
	}
	return settings{c: c}
}

// deployment of a component, nil where there is none.
func (c *installation) deployment(component string) *workload {
	i := slices.IndexFunc(c.workloads.items, func(w workload) bool {
		return w.Kind == "Deployment" && w.component() == component
	})
	if i < 0 {
		return nil
	}
	return &c.workloads.items[i]
}

// get finds a setting by its key in the file; "" where it is not set, or by a Secret.
func (s settings) get(key, flag string) string {
	for i, arg := range s.container.Args {
		if value, ok := strings.CutPrefix(arg, "--"+flag+"="); ok {
			return value
		}
		if arg == "--"+flag && i+1 < len(s.container.Args) {
			return s.container.Args[i+1]
		}
	}
	if value := s.variable("PENSTOCK_" + strings.ToUpper(key)); value != "" {
		return value
	}
	return s.file(s.variable("PENSTOCK_CONFIG"))[key]
}

// variable is one of the environment. The last of a name counts, and what is named counts more than what is listed.
func (s settings) variable(name string) string {
	for _, v := range slices.Backward(s.container.Env) {
		if v.Name != name {
			continue
		}
		if k := v.ValueFrom.ConfigMapKeyRef; k != nil {
			return s.c.data(k.Name)[k.Key]
		}
		return v.Value
	}
	for _, f := range slices.Backward(s.container.EnvFrom) {
		if value, ok := s.c.data(configMapName(f.ConfigMapRef))[name]; ok {
			return value
		}
	}
	return ""
}

func configMapName(k *keyRef) string {
	if k == nil {
		return ""
	}
	return k.Name
}

func (c *installation) data(name string) map[string]string {
	for _, m := range c.configMaps.items {
		if m.Metadata.Name == name {
			return m.Data
		}
	}
	return nil
}

// file reads the settings of a mounted ConfigMap's file; nil where it is none, or no settings.
func (s settings) file(name string) map[string]string {
	for _, mount := range s.container.VolumeMounts {
		key, inside := strings.CutPrefix(name, mount.MountPath+"/")
		i := slices.IndexFunc(s.pod.Volumes, func(v volume) bool { return v.Name == mount.Name && v.ConfigMap != nil })
		if !inside || i < 0 {
			continue
		}
		for _, item := range s.pod.Volumes[i].ConfigMap.Items {
			if path.Clean(item.Path) == key {
				key = item.Key
			}
		}
		var found map[string]any
		if yaml.Unmarshal([]byte(s.c.data(s.pod.Volumes[i].ConfigMap.Name)[key]), &found) != nil {
			return nil // the pods say so by themselves
		}
		return texts(found)
	}
	return nil
}

// texts keeps the values that are text.
func texts(values map[string]any) map[string]string {
	all := map[string]string{}
	for key, value := range values {
		if text, ok := value.(string); ok {
			all[key] = text
		}
	}
	return all
}

// subjects are those that the workers use.
func (s settings) subjects() contracts.Subjects {
	if prefix := s.get("nats_prefix", "nats-prefix"); prefix != "" {
		return contracts.Subjects{Prefix: prefix}
	}
	return contracts.DefaultSubjects
}
