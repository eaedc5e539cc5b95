package queue_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/queue"
)

// TestAuthorizationFile holds the file that nats-server reads to what roles need, no less and no more.
func TestAuthorizationFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../manifests/components/nats/authorization.conf")
	must(t, err)
	passwords := "NATS_DISPATCHER_PASSWORD: d\nNATS_WORKER_PASSWORD: w\nNATS_SUBMITTER_PASSWORD: s\n"
	opts, err := server.ProcessConfigFile(write(t, "nats.conf", passwords+string(data)))
	must(t, err)
	if len(opts.Users) != len(queue.Roles()) {
		t.Errorf("found %d users, expected one for each role", len(opts.Users))
	}
	for _, user := range opts.Users {
		want := queue.Role(user.Username).Grants(contracts.DefaultSubjects)
		sameSubjects(t, user.Username+" publishes", user.Permissions.Publish, want.Publish)
		sameSubjects(t, user.Username+" subscribes", user.Permissions.Subscribe, want.Subscribe)
	}
}

func sameSubjects(t *testing.T, what string, found *server.SubjectPermission, want []string) {
	t.Helper()
	allowed := slices.Sorted(slices.Values(found.Allow))
	slices.Sort(want)
	if !slices.Equal(allowed, want) || len(found.Deny) > 0 || len(want) == 0 {
		t.Errorf("%s\n%s\nexpected\n%s", what, strings.Join(allowed, "\n"), strings.Join(want, "\n"))
	}
}

func TestGrantsUnderAPrefix(t *testing.T) {
	t.Parallel()
	lab := contracts.Subjects{Prefix: "lab"}
	for _, role := range queue.Roles() {
		g := role.Grants(lab)
		for _, subject := range slices.Concat(g.Publish, g.Subscribe) {
			if !strings.Contains(subject, "lab.") && !strings.Contains(subject, ".LAB_") &&
				subject != "_INBOX."+string(role)+".>" {
				t.Errorf("%s: %s is of another prefix", role, subject)
			}
		}
	}
	if g := queue.Role("anybody").Grants(lab); g.Publish != nil || g.Subscribe != nil {
		t.Errorf("anybody needs %+v", g)
	}
}

func TestInboxes(t *testing.T) {
	t.Parallel()
	addr := serve(t, `jetstream {}
authorization {users: [
  {user: ann, password: a, permissions: {publish: ">", subscribe: "_INBOX.ann.>"}}
  {user: "b.b", password: b, permissions: {publish: ">", subscribe: "_INBOX.>"}}
  {user: cid, password: c, permissions: {publish: ">", subscribe: "answers.to.cid.>"}}
]}`)
	works(t, queue.Config{URL: "nats://" + addr, User: "ann", Password: "a"})
	works(t, queue.Config{URL: "nats://ann:a@" + addr})
	works(t, queue.Config{URL: "nats://" + addr, User: "b.b", Password: "b"}) // no single token
	works(t, queue.Config{URL: "nats://" + addr, User: "cid", Password: "c", Inbox: "answers.to.cid"})
	for _, bad := range []string{"a.>", "a.*", "a b", "a.", ".a", "ä"} {
		refused(t, queue.Config{URL: "nats://" + addr, Inbox: bad}, contracts.KindConfig, "expected subject tokens")
	}
	stranger := open(t, queue.Config{URL: "nats://" + addr, User: "ann", Password: "a", Inbox: "_INBOX.cid"})
	err := stranger.Ping(t.Context(), queue.Worker)
	wants(t, err, contracts.KindDenied, `Permissions Violation for Subscription to "_INBOX.cid.`)
	if !queue.Forbidden(err) {
		t.Error("a lack of a permission is not seen as one")
	}
}

// TestPing asks as each role does, of a server that has nothing yet, and of one that has all.
func TestPing(t *testing.T) {
	t.Parallel()
	url, _ := start(t)
	q := open(t, queue.Config{URL: url})
	for _, role := range queue.Roles() {
		wants(t, q.Ping(t.Context(), role), contracts.KindMissing, "start a dispatcher, which makes the streams")
	}
	must(t, q.Setup(t.Context()))
	for _, role := range queue.Roles() {
		must(t, q.Ping(t.Context(), role))
	}
}
