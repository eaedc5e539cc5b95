package kubedoctor

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	secretKind    = "Secret"
	configMapKind = "ConfigMap"
)

// need is a Secret or ConfigMap without which pods do not start.
type need struct {
	kind, name string
	by         map[string][]string // who needs it, by key; "" where no key is named
}

func (n need) String() string { return n.kind + "/" + n.name }

// needs are what the pods of all workloads refer to, by kind and name. What is optional is left out.
func (c *installation) needs() []need {
	found := map[string]*need{}
	for i := range c.workloads.items {
		w := &c.workloads.items[i]
		if slices.ContainsFunc(w.Metadata.OwnerReferences, isCronJob) {
			continue // its CronJob speaks for it
		}
		for r := range w.pod().references {
			n := found[r.kind+"/"+r.Name]
			if n == nil {
				n = &need{r.kind, r.Name, map[string][]string{}}
				found[n.String()] = n
			}
			if !slices.Contains(n.by[r.Key], w.String()) {
				n.by[r.Key] = append(n.by[r.Key], w.String())
			}
		}
	}
	var all []need
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[name])
	}
	return all
}

func isCronJob(o struct{ Kind, Name string }) bool { return o.Kind == "CronJob" }

// reference is a key that a pod names, or a whole object.
type reference struct {
	kind string
	keyRef
}

// references yields what the pod does not start without.
func (p podSpec) references(yield func(reference) bool) {
	note := func(kind string, k *keyRef) bool {
		return k == nil || k.Optional || k.Name == "" || yield(reference{kind, *k})
	}
	for _, c := range slices.Concat(p.InitContainers, p.Containers) {
		for _, v := range c.Env {
			if !note(secretKind, v.ValueFrom.SecretKeyRef) || !note(configMapKind, v.ValueFrom.ConfigMapKeyRef) {
				return
			}
		}
		for _, f := range c.EnvFrom {
			if !note(secretKind, f.SecretRef) || !note(configMapKind, f.ConfigMapRef) {
				return
			}
		}
	}
	for _, v := range p.Volumes {
		sources := append(v.Projected.Sources, struct{ Secret, ConfigMap *source }{v.Secret, v.ConfigMap})
		for _, s := range sources {
			if !s.Secret.each(secretKind, note) || !s.ConfigMap.each(configMapKind, note) {
				return
			}
		}
	}
}

// each notes every key that is mounted by name, or the whole object.
func (s *source) each(kind string, note func(string, *keyRef) bool) bool {
	if s == nil || s.Optional {
		return true
	}
	name := cmp.Or(s.Name, s.SecretName)
	for _, item := range s.Items {
		if !note(kind, &keyRef{Name: name, Key: item.Key}) {
			return false
		}
	}
	return len(s.Items) > 0 || note(kind, &keyRef{Name: name})
}

// secrets holds what pods refer to against what is there.
func (c *installation) secrets() []Finding {
	const part = "secrets"
	var all []Finding
	there := map[string][]string{}
	for _, k := range c.secretKeys.items {
		there[secretKind+"/"+k.name] = k.keys
	}
	for _, m := range c.configMaps.items {
		there[configMapKind+"/"+m.Metadata.Name] = slices.AppendSeq(slices.Sorted(maps.Keys(m.Data)),
			maps.Keys(m.BinaryData))
	}
	unknown := map[string]*Refusal{secretKind: c.secretKeys.refused, configMapKind: c.configMaps.refused}
	for _, kind := range []string{secretKind, configMapKind} {
		if r := unknown[kind]; r != nil {
			all = append(all, fault(part, kind+"s that pods refer to may not be looked at: "+r.said, r.hint()))
		}
	}
	needs := c.needs()
	for _, n := range needs {
		if keys, ok := there[n.String()]; ok {
			all = append(all, n.lacking(c.namespace, keys)...)
		} else if unknown[n.kind] == nil {
			all = append(all, fault(part, fmt.Sprintf("%s is missing: expected it%s, for %s", n,
				n.expected(), n.users()), n.howToMake(c.namespace)))
		}
	}
	if len(all) > 0 {
		return all
	}
	return []Finding{well(part, fmt.Sprintf("%d Secrets and ConfigMaps that pods refer to have the keys", len(needs)))}
}

// lacking tells of each key that is missing.
func (n need) lacking(namespace string, has []string) []Finding {
	var all []Finding
	for _, key := range slices.Sorted(maps.Keys(n.by)) {
		if key == "" || slices.Contains(has, key) {
			continue
		}
		hint := fmt.Sprintf(`kubectl -n %s patch secret %s --patch '{"stringData":{"%s":"…"}}'; then `+
			"pods that wait start by themselves", namespace, n.name, key)
		if n.kind == configMapKind || generated.MatchString(n.name) {
			hint = n.howToMake(namespace)
		}
		all = append(all, fault("secrets", fmt.Sprintf("%s lacks the key %q: expected it for %s; it has %s", n, key,
			strings.Join(n.by[key], ", "), cmp.Or(strings.Join(has, ", "), "none")), hint))
	}
	return all
}

// expected names the keys that somebody needs by name.
func (n need) expected() string {
	named := slices.DeleteFunc(slices.Sorted(maps.Keys(n.by)), func(key string) bool { return key == "" })
	switch len(named) {
	case 0:
		return ""
	case 1:
		return " with the key " + named[0]
	default:
		return " with the keys " + strings.Join(named, ", ")
	}
}

func (n need) users() string {
	var all []string
	for _, by := range n.by {
		all = append(all, by...)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// generated is what kustomize adds to the name of an object that it generates.
var generated = regexp.MustCompile(`-[24-9bcdfghkmt]{10}$`)

func (n need) howToMake(namespace string) string {
	switch {
	case generated.MatchString(n.name), n.kind == configMapKind:
		return "apply the overlay again, which makes it: kubectl apply -k OVERLAY"
	case strings.HasSuffix(n.name, "-superuser"):
		return "the K8ssandra operator makes it with its K8ssandraCluster: see cassandra"
	}
	literals := ""
	for _, key := range slices.Sorted(maps.Keys(n.by)) {
		if key != "" {
			literals += " --from-literal=" + key + "=…"
		}
	}
	return fmt.Sprintf("kubectl -n %s create secret generic %s%s (manifests/README.md says what it holds)", namespace,
		n.name, literals)
}
