package kubedoctor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRefusals tells apart why kubectl gives no answer, by words that it was heard to say.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said string
		kind refusal
		want string
	}{
		{"E1122 00:30:00.1 1 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server API group list\"\n" +
			"The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n", unreachable,
			"The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"},
		{"Unable to connect to the server: dial tcp: lookup c.example.com: no such host\n", unreachable, ""},
		{"Unable to connect to the server: net/http: request canceled while waiting for connection " +
			"(Client.Timeout exceeded while awaiting headers)\n", unreachable, ""},
		{"error: You must be logged in to the server (Unauthorized)\n", noLogin, ""},
		{"Unable to connect to the server: getting credentials: exec: executable login not found\n", noLogin, ""},
		{"error: context \"far\" does not exist\n", noContext, ""},
		{"context \"far\" does not exist\ncontext \"far\" does not exist\n", noContext, `context "far" does not exist`},
		{"error: no configuration has been provided, try setting KUBERNETES_MASTER environment variable", noContext, ""},
		{"Error from server (Forbidden): pods is forbidden: User \"ann\" cannot list resource \"pods\"\n", forbidden, ""},
		{"Error from server (NotFound): services \"nats\" not found\n", absent, ""},
		{"error: the server doesn't have a resource type \"scaledobjects\"\n", absent, ""},
		{"error: something new\n", other, ""},
		{"", other, "kubectl: exit status 1"},
		{"W1122 00:30:00.1 1 a.go:1] only a log\n", other, "W1122 00:30:00.1 1 a.go:1] only a log"},
	} {
		r := refused(c.said, errors.New("exit status 1"))
		want := c.want
		if want == "" {
			want = strings.TrimSpace(c.said)
		}
		if r.kind != c.kind || r.Error() != want || r.hint() == "" {
			t.Errorf("%q is kind %d, %q: expected %d, %q", c.said, r.kind, r.said, c.kind, want)
		}
	}
}

// TestOneLine makes what a cluster says fit to be printed.
func TestOneLine(t *testing.T) {
	t.Parallel()
	if found := oneLine("a\n\x1b[31mb\tc"); found != "a [31mb c" {
		t.Errorf("found %q", found)
	}
	long := "a" + strings.Repeat("é", 1000) + "b"
	for found, want := range map[string][2]string{oneLine(long): {"aé", "é …"}, ending(long): {"… é", "éb"}} {
		if len(found) > mostSaid+4 || !strings.HasPrefix(found, want[0]) || !strings.HasSuffix(found, want[1]) {
			t.Errorf("found %q, expected %q … %q", found, want[0], want[1])
		}
	}
}

// TestBounded keeps no more than it may.
func TestBounded(t *testing.T) {
	t.Parallel()
	b := &bounded{most: 4}
	for _, text := range []string{"abc", "def", "g"} {
		if n, err := b.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if b.kept.String() != "abcg" || !b.full {
		t.Errorf("kept %q, full %t", b.kept.String(), b.full)
	}
	b = &bounded{most: 1000}
	cmd := exec.Command("seq", "1000000")
	cmd.Stdout = b
	if err := cmd.Run(); err != nil || b.kept.Len() > 1000 || !b.full {
		t.Errorf("of a program: kept %d bytes, full %t, %v", b.kept.Len(), b.full, err)
	}
}

// TestWays leads to each server behind a Service, by the port that its pods have.
func TestWays(t *testing.T) {
	t.Parallel()
	nats := `{"metadata": {"name": "nats-0", "labels": {"app": "nats"}}, "spec": {"containers": [{"ports": [
		{"name": "monitor", "containerPort": 8222}]}]}}`
	gone := `{"metadata": {"name": "nats-1", "labels": {"app": "nats"}, "deletionTimestamp": "now"}}`
	for name, c := range map[string]struct {
		service string
		https   bool
		want    []string
		wrong   string
	}{
		"headless": {service: `{"spec": {"clusterIP": "None", "selector": {"app": "nats"}}}`,
			want: []string{"/api/v1/namespaces/lab/pods/nats-0:80/proxy"}},
		"by name": {service: `{"spec": {"selector": {"app": "nats"}, "ports": [{"port": 80, "targetPort": "monitor"}]}}`,
			want: []string{"/api/v1/namespaces/lab/pods/nats-0:8222/proxy"}},
		"by number, TLS": {service: `{"spec": {"selector": {"app": "nats"}, "ports": [{"port": 80, "targetPort": 8223}]}}`,
			https: true, want: []string{"/api/v1/namespaces/lab/pods/https:nats-0:8223/proxy"}},
		"without a target": {service: `{"spec": {"selector": {"app": "nats"}, "ports": [{"port": 80}]}}`,
			want: []string{"/api/v1/namespaces/lab/pods/nats-0:80/proxy"}},
		"no such port": {service: `{"spec": {"ports": [{"port": 81}]}}`, wrong: "has no port 80: it has 81"},
		"no such name": {service: `{"spec": {"selector": {"app": "nats"}, "ports": [{"port": 80, "targetPort": "web"}]}}`,
			wrong: "selects no pod with the port web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s service
			var pods [2]pod
			for text, into := range map[string]any{c.service: &s, nats: &pods[0], gone: &pods[1]} {
				if r := decode([]byte(text), nil, into); r != nil {
					t.Fatal(r)
				}
			}
			paths, wrong := ways(address{port: "80", service: "queue", namespace: "lab", https: c.https}, s, pods[:])
			if !slices.Equal(paths, c.want) || !strings.Contains(wrong, c.wrong) || (c.wrong == "") != (wrong == "") {
				t.Errorf("found %q, %q: expected %q, %q", paths, wrong, c.want, c.wrong)
			}
		})
	}
}

// TestDirect asks a server outside the cluster from here.
func TestDirect(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"well": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RequestURI() == jszPath {
				_, _ = w.Write([]byte(jetStream))
			}
		},
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	}
	want := map[string]string{
		"well":    "account $G has the stream and its consumer; 0 chunks wait or are in work",
		"refused": "answers 418 I'm a teapot: expected 200 and JSON",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(answer)
			defer server.Close()
			w := healthy(t, "kind")
			w.trigger(t)["natsServerMonitoringEndpoint"] = strings.TrimPrefix(server.URL, "http://")
			all := Examine(t.Context(), w.ask, "penstock")
			if found := text(all, true); text(all, false) != "" || !strings.Contains(found, want[name]) {
				t.Errorf("found\n%s%s", text(all, false), found)
			}
		})
	}
}
