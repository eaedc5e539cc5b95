package kubedoctor

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// trouble is why a pod does not work, and what to do.
type trouble struct{ detail, hint string }

// trouble of a pod; its zero value where it is ready, has ended well, or is on its way out.
func (c *installation) trouble(p *pod) trouble {
	if p.Metadata.DeletionTimestamp != "" || p.Status.Phase == "Succeeded" ||
		p.Status.Conditions.find("Ready").Status == "True" {
		return trouble{}
	}
	if placed := p.Status.Conditions.find("PodScheduled"); placed.Status == "False" {
		return trouble{"cannot be placed on a node: " + oneLine(placed.Message),
			"make room: more nodes, smaller requests, or tolerations for what nodes are tainted with"}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if t := s.trouble(c.namespace, p.Metadata.Name); t != (trouble{}) {
			return t
		}
	}
	if p.Status.Phase == "Failed" {
		return trouble{"has failed: " + oneLine(p.Status.Reason+" "+p.Status.Message), "kubectl -n " + c.namespace +
			" describe pod " + p.Metadata.Name}
	}
	return c.notReady(p)
}

// notReady is of a pod whose containers run and whose readiness probe fails, for all that is known.
func (c *installation) notReady(p *pod) trouble {
	logs := fmt.Sprintf("kubectl -n %s logs %s", c.namespace, p.Metadata.Name)
	if down := c.down[p.Metadata.Name]; len(down) > 0 {
		return trouble{"runs and is not ready: it does not reach " + strings.Join(down, ", "),
			logs + " names address and reason; docs/runbooks/PenstockDependencyDown.md says what to do"}
	}
	return trouble{"runs and is not ready: its readiness probe does not succeed", logs}
}

// trouble of a container; its zero value where it runs.
func (s *containerStatus) trouble(namespace, pod string) trouble {
	logs := fmt.Sprintf("kubectl -n %s logs %s -c %s --previous", namespace, pod, s.Name)
	ended := s.LastState.Terminated
	if s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
		ended = s.State.Terminated
	}
	switch w := s.State.Waiting; {
	case w == nil && s.State.Terminated == nil:
		return trouble{}
	case w == nil && ended == nil:
		return trouble{} // an init container that is done
	case ended != nil && (w == nil || w.Reason == "CrashLoopBackOff"):
		return trouble{fmt.Sprintf("container %s ends again and again (restarts: %d), %s", s.Name, s.RestartCount, ended),
			ended.hint(logs)}
	case w == nil:
		return trouble{}
	case strings.Contains(w.Reason, "Image"):
		return trouble{fmt.Sprintf("container %s: %s: %s", s.Name, w.Reason, oneLine(w.Message)),
			"is the image's name right, was it pushed or loaded into the node, and may the node pull it (imagePullSecrets)?"}
	case w.Reason == "ContainerCreating", w.Reason == "PodInitializing":
		return trouble{fmt.Sprintf("container %s is %s", s.Name, w.Reason), "mend what is said of secrets; else kubectl -n " +
			namespace + " describe pod " + pod}
	default:
		return trouble{fmt.Sprintf("container %s: %s: %s", s.Name, w.Reason, oneLine(w.Message)),
			"mend what is said of secrets; else kubectl -n " + namespace + " describe pod " + pod}
	}
}

func (t *termination) String() string {
	text := fmt.Sprintf("last with exit code %d (%s)", t.ExitCode, t.Reason)
	if t.Message != "" {
		text += ": " + ending(t.Message)
	}
	return text
}

func (t *termination) hint(logs string) string {
	if t.Reason == "OOMKilled" {
		return "raise its memory limit: docs/interface.md says under PENSTOCK_MEMORY what a worker takes"
	}
	return logs
}

// askUnready asks some pods of Penstock that run and are not ready which server they do not reach. /readyz would know
// more, but kubectl keeps the body of a 503 to itself.
func (c *installation) askUnready(ctx context.Context, ask Kubectl) {
	const most = 4
	asked := 0
	for i := range c.pods.items {
		p := &c.pods.items[i]
		role := p.Metadata.Labels["app.kubernetes.io/component"]
		if asked == most || p.Metadata.Labels["app.kubernetes.io/name"] != "penstock" || role == "submitter" ||
			p.Status.Phase != "Running" || c.trouble(p) == (trouble{}) {
			continue
		}
		asked++
		port := p.port("http")
		out, err := raw(ctx, ask, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%s/proxy/metrics", c.namespace,
			p.Metadata.Name, port))
		if err == nil && port != "" {
			c.down[p.Metadata.Name] = downServers(out)
		}
	}
}

var dependencyDown = regexp.MustCompile(`(?m)^penstock_dependency_up\{dependency="(\w+)"\} 0$`)

func downServers(metrics []byte) []string {
	var names []string
	for _, m := range dependencyDown.FindAllSubmatch(metrics, -1) {
		names = append(names, string(m[1]))
	}
	return names
}
