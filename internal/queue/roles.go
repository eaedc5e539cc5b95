package queue

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
)

// Role is what a process uses the queue for. Each may have a NATS user of its own, granted no more than it needs.
type Role string

// The roles. Submitters publish jobs and follow what becomes of them; dispatchers do that, too, since people mend loads
// in their pods, and make streams and consumers.
const (
	Dispatcher Role = "dispatcher"
	Worker     Role = "worker"
	Submitter  Role = "submitter"
)

// Grants are the subjects that a role's user must be allowed, and need not be allowed more.
type Grants struct{ Publish, Subscribe []string }

// Grants are what the role needs under a prefix, if its user is called as the role is.
func (r Role) Grants(s contracts.Subjects) Grants {
	publish := map[Role]func(contracts.Subjects) []string{
		Dispatcher: dispatcherPublishes, Worker: workerPublishes, Submitter: submitterPublishes,
	}[r]
	if publish == nil {
		return Grants{}
	}
	return Grants{Publish: publish(s), Subscribe: []string{inboxOf(string(r)) + ".>"}}
}

const api = "$JS.API."

func dispatcherPublishes(s contracts.Subjects) []string {
	p := s.Prefix
	grants := []string{p + ".jobs.*", p + ".chunks.>", p + ".status.>", s.DeadJobs()}
	for _, name := range []string{
		contracts.StreamJobs, contracts.StreamChunks, contracts.StreamNotifications,
		contracts.StreamStatus, contracts.StreamDead, contracts.StreamBudgets,
	} {
		for _, verb := range []string{"INFO", "CREATE", "UPDATE"} {
			grants = append(grants, api+"STREAM."+verb+"."+s.Stream(name))
		}
	}
	chunks := s.Stream(contracts.StreamChunks)
	grants = append(grants, api+"STREAM.PURGE."+chunks)
	for _, c := range []string{
		chunks + "." + contracts.Consumer, s.Stream(contracts.StreamJobs) + "." + dispatchers,
		s.Stream(contracts.StreamNotifications) + "." + dispatchers,
	} {
		grants = append(grants, api+"CONSUMER.INFO."+c, api+"CONSUMER.CREATE."+c)
	}
	grants = append(grants, pulls(s.Stream(contracts.StreamJobs), dispatchers)...)
	grants = append(grants, pulls(s.Stream(contracts.StreamNotifications), dispatchers)...)
	return append(grants, follows(s, p+".status.>")...)
}

func workerPublishes(s contracts.Subjects) []string {
	var grants []string
	for _, kind := range []contracts.EventKind{
		contracts.EventChunkDone, contracts.EventChunkDead, contracts.EventChunkFailed, contracts.EventChunkScanned,
	} {
		grants = append(grants, s.Prefix+".status.*."+string(kind))
	}
	chunks, budgets := s.Stream(contracts.StreamChunks), s.Stream(contracts.StreamBudgets)
	grants = append(grants, s.Prefix+".dead.*.*", api+"CONSUMER.INFO."+chunks+"."+contracts.Consumer)
	grants = append(grants, pulls(chunks, contracts.Consumer)...)
	return append(grants, s.Prefix+".budgets.*", api+"STREAM.INFO."+budgets, api+"STREAM.MSG.GET."+budgets)
}

func submitterPublishes(s contracts.Subjects) []string {
	return append([]string{
		s.Prefix + ".jobs.*", s.Prefix + ".status.*." + string(contracts.EventControl),
		api + "STREAM.INFO." + s.Stream(contracts.StreamStatus),
	}, follows(s, s.Prefix+".status.*.>")...)
}

// pulls are what a holder of a durable consumer's messages publishes. The second form of acknowledgement is that of
// servers with a domain.
func pulls(stream, consumer string) []string {
	return []string{
		api + "CONSUMER.MSG.NEXT." + stream + "." + consumer,
		"$JS.ACK." + stream + "." + consumer + ".>", "$JS.ACK.*.*." + stream + "." + consumer + ".>",
	}
}

// follows are what a follower of events publishes, whose consumers have names of their own.
func follows(s contracts.Subjects, filter string) []string {
	status := s.Stream(contracts.StreamStatus) + ".*"
	return []string{
		api + "CONSUMER.CREATE." + status + "." + filter, api + "CONSUMER.INFO." + status,
		api + "CONSUMER.MSG.NEXT." + status,
	}
}

// Ping asks for what a role cannot do without: the consumer of chunks, or the stream of events for a submitter. It
// needs none but the role's own grants. Errors are those of WaitReady, and missing.
func (q *Queue) Ping(ctx context.Context, r Role) error {
	if r != Submitter {
		_, err := q.consumer(ctx, contracts.StreamChunks, contracts.Consumer)
		return err
	}
	name := q.subjects.Stream(contracts.StreamStatus)
	return q.do(ctx, "find stream "+name, "."+name, requestTimeout, func(ctx context.Context) error {
		_, err := q.js.Stream(ctx, name)
		return err
	})
}

// Forbidden says that err is a NATS user's lack of a permission, and not a wrong password.
func Forbidden(err error) bool { return errors.Is(err, nats.ErrPermissionViolation) }

// Roles are all roles.
func Roles() []Role { return []Role{Dispatcher, Worker, Submitter} }

// inboxOf is the prefix of the subjects on which a user gets answers, so that nobody else can be granted them by the
// way. Names that are no single token have the common one.
func inboxOf(user string) string {
	if !userRE.MatchString(user) {
		return "_INBOX"
	}
	return "_INBOX." + user
}
