//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// TestDoctor breaks an installation that is well in one way after the other: penstock doctor names each, and nothing
// else before and after.
func TestDoctor(t *testing.T) {
	l := newLab(t)
	t.Cleanup(l.leave)
	t.Cleanup(l.describe)
	l.deploy()
	l.awaitWell("")
	l.checkRights()

	l.scaler("consumer", "worker")
	l.awaitFault("", `has the consumer "worker": expected "workers"`)
	l.scaler("consumer", "workers")

	l.kubectl("annotate", "scaledobject", "penstock-worker", "autoscaling.keda.sh/paused=true")
	l.awaitFault("", `is paused (autoscaling.keda.sh/paused: "true")`)
	l.kubectl("annotate", "scaledobject", "penstock-worker", "autoscaling.keda.sh/paused-")

	secret := l.secret("penstock-s3")
	key := l.kubectl("get", secret, "--output=jsonpath={.data.secret-key}")
	l.kubectl("patch", secret, "--type=json", `--patch=[{"op": "remove", "path": "/data/secret-key"}]`)
	l.awaitFault("", strings.Replace(secret, "secret/", "Secret/", 1)+` lacks the key "secret-key"`)
	l.kubectl("patch", secret, fmt.Sprintf(`--patch={"data": {"secret-key": %q}}`, key))

	l.withoutMetrics(func() { l.awaitFault("", "there is no APIService/v1beta1.external.metrics.k8s.io") })

	l.kubectl("set", "image", "deployment/penstock-dispatcher", "dispatcher=localhost/penstock:gone")
	l.awaitFault("", "container dispatcher: ", "localhost/penstock:gone", "was it pushed or loaded into the node")
	l.kubectl("set", "env", "deployment/penstock-dispatcher", "PENSTOCK_WORKERS=none")
	l.kubectl("set", "image", "deployment/penstock-dispatcher", "dispatcher="+image)
	l.awaitFault("", "container dispatcher ends again and again (restarts: ", "exit code 2 (Error): penstock: ",
		"a whole number from 0")
	l.kubectl("set", "env", "deployment/penstock-dispatcher", "PENSTOCK_WORKERS-")
	l.awaitWell("")

	l.checkNATS()
	l.s3.Kill()
	l.awaitFault("", "runs and is not ready: it does not reach s3")
}

// leave takes the installation away, for tests that begin with none.
func (l *lab) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's own context has ended
	defer cancel()
	if _, err := l.cluster.Kubectl(ctx, "", "delete", "namespace", "penstock"); err != nil {
		l.t.Error(err)
	}
}

// doctor runs the program as a user of a kubeconfig, "" is the administrator, and says whether all is well.
func (l *lab) doctor(kubeconfig string) (said string, well bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	kubectl, err := tools.KubeProgram("kubectl")
	l.must(err)
	cmd := exec.CommandContext(ctx, *program, "doctor", "--kubernetes")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"), "HOME="+l.dir)
	if kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		l.t.Fatalf("penstock doctor: %v\n%s", err, out)
	}
	return string(out), err == nil
}

func (l *lab) awaitWell(kubeconfig string) {
	l.t.Helper()
	var said string
	defer func() { l.t.Log("\n" + said) }() // also of one that never came to it
	l.await("the doctor finds nothing", func() bool {
		var well bool
		said, well = l.doctor(kubeconfig)
		if well && strings.Contains(said, "FAIL") {
			l.t.Error("the exit code is 0 in spite of faults")
		}
		return well
	})
}

// awaitFault waits until each of the words is said.
func (l *lab) awaitFault(kubeconfig string, words ...string) {
	l.t.Helper()
	var said string
	defer func() { l.t.Log("\n" + said) }()
	l.await("the doctor says "+strings.Join(words, " … "), func() bool {
		var well bool
		said, well = l.doctor(kubeconfig)
		for _, word := range words {
			well = well || !strings.Contains(said, word)
		}
		return !well
	})
}

// scaler changes what the trigger asks for.
func (l *lab) scaler(key, value string) {
	l.t.Helper()
	l.kubectl("patch", "scaledobject", "penstock-worker", "--type=json", fmt.Sprintf(
		`--patch=[{"op": "replace", "path": "/spec/triggers/0/metadata/%s", "value": %q}]`, key, value))
}

// secret is the name that a Secret was given when it was generated, as kubectl writes it.
func (l *lab) secret(name string) string {
	l.t.Helper()
	for found := range strings.FieldsSeq(l.kubectl("get", "secrets", "--output=name")) {
		if strings.HasPrefix(found, "secret/"+name+"-") {
			return found
		}
	}
	l.t.Fatalf("there is no secret %s", name)
	return ""
}

// withoutMetrics takes KEDA's metrics away for a while.
func (l *lab) withoutMetrics(do func()) {
	l.t.Helper()
	const name = "v1beta1.external.metrics.k8s.io"
	var saved map[string]any
	l.must(json.Unmarshal([]byte(l.kubectl("get", "apiservice", name, "--output=json")), &saved))
	delete(saved, "status")
	saved["metadata"] = map[string]any{"name": name}
	again, err := json.Marshal(saved)
	l.must(err)
	l.kubectl("delete", "apiservice", name)
	do()
	apply(l.t, l.cluster, string(again), "-f", "-")
}

// checkRights sees to it that a user without rights is told so, and that those which are documented are enough.
func (l *lab) checkRights() {
	l.t.Helper()
	var config map[string]any
	l.must(json.Unmarshal([]byte(l.kubectl("config", "view", "--flatten", "--raw", "--output=json")), &config))
	config["users"].([]any)[0].(map[string]any)["user"].(map[string]any)["as"] = "ann"
	text, err := json.Marshal(config)
	l.must(err)
	ann := filepath.Join(l.dir, "ann.kubeconfig")
	l.must(os.WriteFile(ann, text, 0o600))
	l.awaitFault(ann, `User "ann" cannot list resource "scaledobjects"`, "hint: ask who runs the cluster for the rights")

	page, err := os.ReadFile("../../../docs/interface.md")
	l.must(err)
	_, rights, _ := strings.Cut(string(page), "```yaml\napiVersion: rbac")
	rights, _, found := strings.Cut(rights, "```")
	if !found {
		l.t.Fatal("docs/interface.md does not tell of rights")
	}
	apply(l.t, l.cluster, "apiVersion: rbac"+rights, "-f", "-")
	l.kubectl("create", "rolebinding", "ann", "--clusterrole=penstock-doctor", "--user=ann")
	l.kubectl("create", "clusterrolebinding", "ann", "--clusterrole=penstock-doctor-cluster", "--user=ann")
	l.awaitWell(ann)
}

// checkNATS leads the trigger to something else than NATS, by a Service of the cluster, which is asked through the API
// server, and then to another account.
func (l *lab) checkNATS() {
	l.t.Helper()
	apply(l.t, l.cluster, `apiVersion: v1
kind: Service
metadata: {name: queue, namespace: penstock}
spec:
  selector: {app.kubernetes.io/component: dispatcher}
  ports: [{port: 8222, targetPort: http}]
`, "-f", "-")
	l.scaler("natsServerMonitoringEndpoint", "queue.penstock.svc.cluster.local:8222")
	l.awaitFault("", "queue.penstock.svc.cluster.local:8222 does not answer (Error from server (NotFound)",
		"is in Fallback")
	l.scaler("natsServerMonitoringEndpoint", monitoring)
	l.scaler("account", "APP")
	l.awaitFault("", `the stream CHUNKS is of the account $G: the trigger asks for "APP"`)
}
