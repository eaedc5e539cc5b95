package kubedoctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// monitor is NATS's monitoring port, as a trigger names it, and what its servers said.
type monitor struct {
	wrong   string   // why nobody can be there; "" where somebody may be
	refused *Refusal // why it gave no answer here, or not each of its servers did; nil where all did
	servers []jsz    // those that answered
}

// jsz is what a server of NATS says of JetStream: of the streams that it keeps itself.
type jsz struct {
	Disabled bool      `json:"disabled"`
	Accounts []account `json:"account_details"`
}

type account struct {
	Name    string   `json:"name"`
	ID      string   `json:"id"`
	Streams []stream `json:"stream_detail"`
}

type stream struct {
	Name      string     `json:"name"`
	Consumers []consumer `json:"consumer_detail"`
}

type consumer struct {
	Name    string `json:"name"`
	Waiting int64  `json:"num_pending"`
	InWork  int64  `json:"num_ack_pending"`
}

// jszPath asks for every account, stream and consumer: KEDA asks for those of one account.
const jszPath = "/jsz?accounts=true&streams=true&consumers=true"

// maxServers bounds how many servers of a cluster are asked.
const maxServers = 9

// address is one of a monitoring port, taken apart.
type address struct {
	host, port string
	service    string // of the cluster; "" where it is none
	namespace  string
	https      bool
}

// parseAddress says what is wrong with it where it cannot be one. KEDA's operator resolves it, in its own namespace.
func (c *installation) parseAddress(t *trigger) (a address, wrong string) {
	text := t.Metadata["natsServerMonitoringEndpoint"]
	const want = "expected NAME.NAMESPACE.svc.cluster.local:PORT, or HOST:PORT outside the cluster"
	if strings.Contains(text, "://") {
		return a, fmt.Sprintf("%q has a scheme, which KEDA adds by itself: %s", text, want)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" {
		return a, fmt.Sprintf("%q is no address with a port: %s", text, want)
	}
	a = address{host: host, port: port, https: t.Metadata["useHttps"] == "true"}
	if net.ParseIP(host) != nil {
		return a, ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	here := []string{c.namespace, c.kedaNamespace()}
	switch svc := slices.Index(labels, "svc"); {
	case svc >= 2: // a pod's name may be in front
		a.service, a.namespace = labels[svc-2], labels[svc-1]
	case len(labels) == 2 && slices.Contains(here, labels[1]):
		a.service, a.namespace = labels[0], labels[1]
	case len(labels) == 1 && c.namespace == c.kedaNamespace():
		a.service, a.namespace = host, c.namespace
	case len(labels) == 1 && host != "localhost":
		return a, fmt.Sprintf("%q names no namespace, and KEDA looks in its own, %s: %s", text, c.kedaNamespace(), want)
	}
	return a, ""
}

// askMonitors asks NATS of every trigger what it has.
func (c *installation) askMonitors(ctx context.Context, ask Kubectl) {
	for i := range c.scaled.items {
		t := c.scaled.items[i].trigger()
		if t == nil || c.monitors[t.monitor()] != nil {
			continue
		}
		a, wrong := c.parseAddress(t)
		m := &monitor{wrong: wrong}
		c.monitors[t.monitor()] = m
		switch {
		case wrong != "":
		case a.service != "":
			c.askService(ctx, ask, a, m)
		default:
			m.take(direct(ctx, a))
		}
	}
}

// monitor is the address, as a key.
func (t *trigger) monitor() string {
	return t.Metadata["natsServerMonitoringEndpoint"] + " https=" + t.Metadata["useHttps"]
}

// take notes one server's answer.
func (m *monitor) take(answer []byte, err error) {
	var j jsz
	if r := decode(answer, err, &j); r != nil {
		m.refused = r
		return
	}
	m.servers = append(m.servers, j)
}

// askService asks each server behind a Service through the API server: one of a cluster knows its own streams only.
func (c *installation) askService(ctx context.Context, ask Kubectl, a address, m *monitor) {
	found := one[service](ctx, ask, "--namespace="+a.namespace, "services", a.service)
	if found.is(absent) {
		m.wrong = fmt.Sprintf("there is no Service/%s in %s: expected the headless one of NATS", a.service, a.namespace)
		return
	}
	if found.refused != nil {
		m.refused = found.refused
		return
	}
	pods := c.pods
	if a.namespace != c.namespace {
		pods = many[pod](ctx, ask, "--namespace="+a.namespace, "pods")
	}
	if len(found.items[0].Spec.Selector) == 0 {
		m.refused = &Refusal{other, fmt.Sprintf("Service/%s in %s has no selector, and the API server leads to pods alone",
			a.service, a.namespace)}
		return
	}
	var paths []string
	if paths, m.wrong = ways(a, found.items[0], pods.items); m.wrong != "" && pods.refused != nil {
		m.wrong, m.refused = "", pods.refused
	}
	for _, path := range paths[:min(len(paths), maxServers)] {
		m.take(raw(ctx, ask, path+jszPath))
	}
}

// ways are the paths by which the API server leads to each server behind a Service.
func ways(a address, s service, pods []pod) (paths []string, wrong string) {
	name := "Service/" + a.service + " in " + a.namespace
	target, wrong := a.target(s)
	if wrong != "" {
		return nil, name + " " + wrong
	}
	scheme := ""
	if a.https {
		scheme = "https:"
	}
	for _, p := range pods {
		if port := p.port(target); p.has(s.Spec.Selector) && p.Metadata.DeletionTimestamp == "" && port != "" {
			paths = append(paths, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s%s:%s/proxy", a.namespace, scheme,
				p.Metadata.Name, port))
		}
	}
	if len(paths) == 0 {
		return nil, name + " selects no pod with the port " + target + ": expected those of NATS"
	}
	return paths, ""
}

// target is the pods' port, a number or a name. A headless Service is but a name: the port is the pods' own.
func (a address) target(s service) (port, wrong string) {
	if s.Spec.ClusterIP == "None" {
		return a.port, ""
	}
	var has []string
	for _, p := range s.Spec.Ports {
		if fmt.Sprint(p.Port) == a.port {
			if p.TargetPort == nil {
				return a.port, ""
			}
			return fmt.Sprint(p.TargetPort), ""
		}
		has = append(has, fmt.Sprint(p.Port))
	}
	return "", fmt.Sprintf("has no port %s: it has %s", a.port, orNone(has))
}

// port is a pod's port by number or name; "" where no container has one of that name.
func (p *pod) port(target string) string {
	if strings.Trim(target, "0123456789") == "" {
		return target
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == target {
				return fmt.Sprint(port.ContainerPort)
			}
		}
	}
	return ""
}

// direct asks an address that is none of the cluster's, from here.
func direct(ctx context.Context, a address) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	scheme := "http://"
	if a.https {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(a.host, a.port)+jszPath, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: expected 200 and JSON", req.URL.Host, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}
