package contracts

import (
	"strconv"
	"strings"
)

// Subjects makes the names of subjects and streams under one prefix. The zero value is not usable: use DefaultSubjects
// or set Prefix.
type Subjects struct {
	Prefix string // one token
}

// DefaultSubjects are those of an installation that has its NATS to itself.
var DefaultSubjects = Subjects{Prefix: "penstock"}

// Consumer is the durable consumer that all workers share.
const Consumer = "workers"

// The streams' names under the default prefix.
const (
	StreamJobs          = "JOBS"
	StreamChunks        = "CHUNKS"
	StreamStatus        = "STATUS"
	StreamDead          = "DEAD"
	StreamNotifications = "NOTIFICATIONS"
	StreamBudgets       = "BUDGETS"
)

// Stream is a stream's name under this prefix.
func (s Subjects) Stream(name string) string {
	if s.Prefix == DefaultSubjects.Prefix {
		return name
	}
	return strings.ToUpper(s.Prefix) + "_" + name
}

// Job is where a pipeline's jobs are published.
func (s Subjects) Job(pipeline string) string { return s.Prefix + ".jobs." + pipeline }

// Chunk is the one subject of one piece of work of one chunk.
func (s Subjects) Chunk(job JobID, w Work, chunk int) string {
	return s.Prefix + ".chunks." + string(job) + "." + string(w) + "." + strconv.Itoa(chunk)
}

// Chunks matches all chunk messages of a job.
func (s Subjects) Chunks(job JobID) string { return s.Prefix + ".chunks." + string(job) + ".>" }

// Status is an event's subject.
func (s Subjects) Status(job JobID, k EventKind) string {
	return s.Prefix + ".status." + string(job) + "." + string(k)
}

// StatusOf matches all events of a job; of every job where job is "".
func (s Subjects) StatusOf(job JobID) string {
	if job == "" {
		return s.Prefix + ".status.>"
	}
	return s.Prefix + ".status." + string(job) + ".>"
}

// Dead is a dead letter's subject.
func (s Subjects) Dead(job JobID, chunk int) string {
	return s.Prefix + ".dead." + string(job) + "." + strconv.Itoa(chunk)
}

// DeadJobs is where job messages go that cannot be read.
func (s Subjects) DeadJobs() string { return s.Prefix + ".dead.jobs" }

// Notifications is where the S3 server publishes bucket notifications.
func (s Subjects) Notifications() string { return s.Prefix + ".notifications" }

// Budget is where workers keep how much of a pipeline's budget is spent.
func (s Subjects) Budget(pipeline string) string { return s.Prefix + ".budgets." + pipeline }

// LastToken is the last token of a subject.
func LastToken(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
