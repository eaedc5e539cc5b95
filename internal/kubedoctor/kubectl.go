package kubedoctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kubectl asks a cluster and gives the answer as kubectl prints it. The error is a *Refusal; there may be a part of an
// answer beside it.
type Kubectl func(ctx context.Context, args ...string) ([]byte, error)

// maxAnswer bounds what kubectl may print: lists of some ten thousand pods.
const maxAnswer = 64 << 20

// How long one question may wait for the API server, and how long kubectl may take in all, with whatever logs it in.
const (
	patience = "15s"
	limit    = time.Minute
)

// Refusal is why kubectl gave no answer, or not all of it.
type Refusal struct {
	kind refusal
	said string
}

type refusal int

const (
	other       refusal = iota
	absent              // the object or its type
	forbidden           // for this user
	noProgram           // kubectl
	unreachable         // the API server
	noLogin             // the API server does not know who asks, or kubectl cannot say
	noContext           // the kubeconfig names no such context or cluster
)

func (r *Refusal) Error() string { return r.said }

// hint is what to do where nothing else is known.
func (r *Refusal) hint() string {
	switch r.kind {
	case noProgram:
		return "install kubectl, and see to it that `kubectl get pods` answers"
	case unreachable:
		return "is the cluster up, and reached from here? `kubectl cluster-info` asks the same server; " +
			"--context chooses another"
	case noLogin:
		return "log in to the cluster again: `kubectl auth whoami` must answer"
	case noContext:
		return "`kubectl config get-contexts` lists the contexts that KUBECONFIG knows; choose one by --context"
	case forbidden:
		return "ask who runs the cluster for the rights that docs/interface.md lists under \"Doctor on Kubernetes\""
	default:
		return "`kubectl` says the same by itself: mend what it names"
	}
}

// Command is the kubectl of the PATH, on a context of the user's kubeconfig; "" is the current one.
func Command(name string) Kubectl {
	return func(ctx context.Context, args ...string) ([]byte, error) {
		args = append(args, "--request-timeout="+patience)
		if name != "" {
			args = append(args, "--context="+name)
		}
		out, errs := &bounded{most: maxAnswer}, &bounded{most: 1 << 20}
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		cmd := exec.CommandContext(limited, "kubectl", args...)
		cmd.WaitDelay = time.Second                // for what it started to log in
		cmd.Env = append(os.Environ(), "LC_ALL=C") // its errors are read here
		cmd.Stdout, cmd.Stderr = out, errs
		err := cmd.Run()
		switch {
		case err == nil && out.full:
			return nil, &Refusal{other, fmt.Sprintf("kubectl %s: more than %d bytes", args[0], maxAnswer)}
		case err == nil:
			return out.kept.Bytes(), nil
		case ctx.Err() != nil:
			return nil, &Refusal{other, "kubectl: " + context.Cause(ctx).Error()}
		case limited.Err() != nil:
			return nil, &Refusal{unreachable, fmt.Sprintf("kubectl %s: no answer within %s", args[0], limit)}
		case errors.Is(err, exec.ErrNotFound):
			return nil, &Refusal{noProgram, "there is no kubectl on the PATH: expected one, since it knows how to log in"}
		case bytes.Contains(out.kept.Bytes(), []byte("Please enter Username")): // of a terminal that is not there
			return nil, &Refusal{noLogin, "kubectl asks for a username: expected a kubeconfig that says how to log in"}
		}
		return out.kept.Bytes(), refused(errs.kept.String(), err)
	}
}

// bounded keeps the beginning of what is written to it. It embeds no bytes.Buffer: io.Copy would fill that past Write.
type bounded struct {
	kept bytes.Buffer
	most int
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.most {
		b.full = true
		return len(p), nil
	}
	return b.kept.Write(p)
}

// logged begins a line of kubectl's own log, which repeats what its last line says.
var logged = regexp.MustCompile(`(?m)^([EIW]\d{4} .*|Warning: .*)\n?`)

// signs tell refusals apart by kubectl's words; the first that fits decides.
var signs = []struct {
	kind  refusal
	words *regexp.Regexp
}{
	{forbidden, regexp.MustCompile(`\(Forbidden\)|is forbidden`)},
	{absent, regexp.MustCompile(`\(NotFound\)|doesn't have a resource type|no matches for kind`)},
	{noLogin, regexp.MustCompile(`Unauthorized|must be logged in|provide credentials|getting credentials|` +
		`executable .* (not found|failed)`)},
	{noContext, regexp.MustCompile(`context .*does not exist|cluster .*does not exist|` +
		`no configuration has been provided`)},
	{unreachable, regexp.MustCompile(`was refused|no such host|i/o timeout|deadline exceeded|Client\.Timeout|` +
		`Unable to connect to the server|ServiceUnavailable|no route to host|connection reset|EOF`)},
}

func refused(said string, err error) *Refusal {
	var once []string // it says the same of each type that it is asked for
	for line := range strings.Lines(logged.ReplaceAllString(said, "")) {
		if line = strings.TrimSpace(line); !slices.Contains(once, line) {
			once = append(once, line)
		}
	}
	text := strings.TrimSpace(strings.Join(once, "\n"))
	if text == "" {
		text = strings.TrimSpace(said)
	}
	if text == "" {
		text = "kubectl: " + err.Error()
	}
	for _, sign := range signs {
		if sign.words.MatchString(text) {
			return &Refusal{sign.kind, oneLine(text)}
		}
	}
	return &Refusal{other, oneLine(text)}
}

// mostSaid bounds what is printed of a text.
const mostSaid = 600

// oneLine is a text of a cluster, fit to be printed: without breaks and control characters, and not too long.
func oneLine(text string) string {
	text = printable(text)
	if len(text) > mostSaid {
		text = strings.ToValidUTF8(text[:mostSaid], "") + " …"
	}
	return text
}

// ending is the same of a log, whose end tells most.
func ending(text string) string {
	text = printable(text)
	if len(text) > mostSaid {
		text = "… " + strings.ToValidUTF8(text[len(text)-mostSaid:], "")
	}
	return text
}

func printable(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}
