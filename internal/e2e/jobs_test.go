package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/penstock-io/penstock/contracts"
)

const smallPipeline = `
name: small
source: {format: csv}
table: {keyspace: lab, name: small, partition_key: [id], create: true}
columns:
  - {name: id, type: text}
  - {name: n, type: int}
`

// TestJobsByMessage submits jobs as `nats pub` does: by plain publishes of JSON or msgpack.
func TestJobsByMessage(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.start("up").says("penstock is up")
	l.apply(l.file("small.yaml", smallPipeline))
	l.putText("2026/a.csv", "id,n\na,1\nb,x\n")
	l.putText("2026/b.csv", "id,n\nc,3\n")
	both := []string{"s3://" + l.bucket + "/2026/*.csv"}
	body := map[string]any{"source": both}
	packed, err := msgpack.Marshal(body)
	l.must(err)
	named, err := msgpack.Marshal(map[string]any{
		"v": 1, "id": "packed", "pipeline": "small", "source": both, "force": true,
	})
	l.must(err)

	events := l.events("*")
	l.publish("small", l.json(body))
	first := l.awaitEnd(events, "")
	if first.State != contracts.StateDoneRejects || first.Pipeline != "small" || first.Objects.Loaded != 2 ||
		first.Records != (contracts.Counts{Read: 3, Written: 2, Rejected: 1}) {
		t.Errorf("JSON: report %+v", first)
	}
	l.publish("small", packed)
	if r := l.awaitEnd(events, ""); r.Job == first.Job || r.State != contracts.StateDone || r.Objects.Skipped != 2 {
		t.Errorf("msgpack: report %+v; expected another job, all skipped", r)
	}
	l.publish("small", named)
	if r := l.awaitEnd(events, "packed"); r.Records.Read != 3 {
		t.Errorf("msgpack with id and force: report %+v", r)
	}
	if got, want := l.query("SELECT id, n FROM small ORDER BY id"), []string{"a|1", "c|3"}; !slices.Equal(got, want) {
		t.Errorf("table %q, expected %q", got, want)
	}
}

// TestSameIDTwice publishes one id twice, in both encodings and with another source: it stays the first job.
func TestSameIDTwice(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.start("up").says("penstock is up")
	l.apply(l.file("small.yaml", smallPipeline))
	source := l.putText("a.csv", "id,n\na,1\n")
	other := l.putText("b.csv", "id,n\nb,1\n")
	events := l.events("*")
	l.publish("small", l.json(map[string]any{"id": "once", "source": []string{source}}))
	packed, err := msgpack.Marshal(map[string]any{"id": "once", "source": []string{other}})
	l.must(err)
	l.publish("small", packed)
	l.publish("small", l.json(map[string]any{"id": "last", "source": []string{source}}))
	accepted := map[contracts.JobID]int{}
	ended := map[contracts.JobID]bool{}
	l.await(events, "the end of both jobs", func(e contracts.Event) bool {
		if e.Kind == contracts.EventAccepted {
			accepted[e.Job]++
		}
		if e.Kind.Terminal() {
			ended[e.Job] = true
		}
		return len(ended) == 2
	})
	if len(accepted) != 2 || accepted["once"] != 1 || accepted["last"] != 1 {
		t.Errorf("accepted %v, expected each of the two ids once", accepted)
	}
	if got := l.query("SELECT id FROM small"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("table %q, expected the first message's object only", got)
	}
	var jobs []contracts.Report
	l.must(json.Unmarshal([]byte(l.ok("jobs", "--output", "json")), &jobs))
	if len(jobs) != 2 {
		t.Errorf("jobs %+v, expected 2", jobs)
	}
}

// TestRefusedJobs publishes what can never be a job; each ends as a dead letter with the reason.
func TestRefusedJobs(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.start("up").says("penstock is up")
	l.apply(l.file("small.yaml", smallPipeline))
	newer, err := msgpack.Marshal(map[string]any{"v": 2, "source": []string{"s3://b/k"}})
	l.must(err)
	refusals := []struct {
		name, pipeline string
		message        []byte
		reason         string
	}{
		{"broken JSON", "small", []byte(`{"source":`), "unexpected end of JSON input"},
		{"no job at all", "small", []byte("hello"), "job on " + l.prefix + ".jobs.small: decode"},
		{"empty", "small", nil, "empty message: expected JSON or msgpack"},
		{"no source", "small", []byte(`{}`), `no source: expected "source":["s3://bucket/key"]`},
		{"odd source", "small", []byte(`{"source":["http://x/y"]}`), "expected s3://bucket/key or an absolute path"},
		{"unknown pipeline", "nobody", []byte(`{"source":["s3://b/k"]}`), `pipeline "nobody"`},
		{
			"another pipeline", "small", []byte(`{"pipeline":"large","source":["s3://b/k"]}`),
			`names the pipeline "large": expected "small"`,
		},
		{"odd id", "small", []byte(`{"id":"A B","source":["s3://b/k"]}`), `job id "A B": expected 1 to 64 of`},
		{"odd chunk size", "small", []byte(`{"chunk_size":-1,"source":["s3://b/k"]}`), "chunk_size -1: expected"},
		{"unknown revision", "small", []byte(`{"revision":"../../x","source":["s3://b/k"]}`), "revision"},
		{"newer version", "small", newer, "version 2 is newer than 1: upgrade this process"},
	}
	dead := make(chan *nats.Msg, len(refusals))
	_, err = l.nats.ChanSubscribe(l.prefix+".dead.jobs", dead)
	l.must(err)
	l.must(l.nats.Flush())
	for _, r := range refusals {
		l.publish(r.pipeline, r.message)
		letter := l.receive(dead, "the dead letter of "+r.name)
		if string(letter.Data) != string(r.message) || !strings.Contains(letter.Header.Get("Penstock-Reason"), r.reason) {
			t.Errorf("%s: dead letter %q, %q; expected the message and %q", r.name, letter.Data, letter.Header, r.reason)
		}
	}
	js, err := jetstream.New(l.nats)
	l.must(err)
	stream, err := js.Stream(t.Context(), strings.ToUpper(l.prefix)+"_DEAD")
	l.must(err)
	// Whoever subscribes may see a message before the stream has it.
	for info := stream.CachedInfo(); info.State.Msgs < uint64(len(refusals)); {
		info, err = stream.Info(t.Context())
		l.must(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != uint64(len(refusals)) {
		t.Errorf("%d messages in the DEAD stream, expected %d", n, len(refusals))
	}
	if jobs := l.ok("jobs"); jobs != "" {
		t.Errorf("jobs:\n%s\nexpected none", jobs)
	}
}

// publish is `nats pub`: no acknowledgement is awaited.
func (l *lab) publish(pipeline string, data []byte) {
	l.t.Helper()
	l.must(l.nats.Publish(l.prefix+".jobs."+pipeline, data))
	l.must(l.nats.Flush())
}

func (l *lab) json(v any) []byte {
	l.t.Helper()
	data, err := json.Marshal(v)
	l.must(err)
	return data
}

// ok runs a command that must end with 0 and gives what it printed.
func (l *lab) ok(args ...string) string {
	l.t.Helper()
	r := l.run(args...)
	if r.code != 0 {
		l.t.Fatalf("penstock %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.errOut)
	}
	return r.out
}

func (l *lab) apply(pipeline string) {
	l.t.Helper()
	l.ok("apply", pipeline)
}
