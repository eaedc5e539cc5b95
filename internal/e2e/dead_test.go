package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// TestDeadChunksAreReplayed has an object that is away when its chunks come up, and comes back after a later job has
// written over some of its keys: replayed, its rows come as of then. NATS forgets everything in between.
func TestDeadChunksAreReplayed(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]site{
		"Cassandra": {testenv.Cassandra(t), "", testenv.S3(t)}, "SQLite": {"", "", testenv.S3(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := testenv.StartNATS(t, "")
			at.nats = queue.URL
			replayDead(newLabAt(t, at), queue)
		})
	}
}

func replayDead(l *lab, queue *testenv.NATSServer) {
	l.apply(l.file("small.yaml", strings.Replace(smallPipeline, "keyspace: lab", "keyspace: "+l.keyspace, 1)))
	var away strings.Builder
	away.WriteString("id,n\n")
	for i := range 40 {
		fmt.Fprintf(&away, "k%02d,1\n", i)
	}
	l.putText("a.csv", "id,n\na,1\n")
	gone := l.putText("gone.csv", away.String())
	events := l.events("*")
	dispatcher := l.start("dispatcher")
	dispatcher.says("msg=leading")
	l.publish("small", l.json(map[string]any{"id": "j1", "source": []string{"s3://" + l.bucket + "/"}, "chunk_size": 64}))
	l.awaitKind(events, contracts.EventPlanned, 1)
	l.must(l.s3.RemoveObject(l.t.Context(), l.bucket, "gone.csv", minio.RemoveObjectOptions{}))
	worker := l.start("worker", "--workers", "2")
	r := l.awaitEnd(events, "j1")
	if r.State != contracts.StateFailed || r.Objects.Failed != 1 || r.Chunks.Dead < 3 {
		l.t.Fatalf("found %+v", r)
	}
	later := l.putText("later.csv", "id,n\nk07,2\nk30,2\n")
	l.publish("small", l.json(map[string]any{"id": "j2", "source": []string{later}}))
	l.awaitEnd(events, "j2")
	dispatcher.Kill()
	worker.Kill()
	wipe(l.t, queue)

	dead := l.deadChunks("j1")
	if len(dead) != r.Chunks.Dead || dead[0].Attempts < 1 || dead[0].Error.Kind != contracts.KindChanged ||
		dead[0].Parts[0].Object != gone {
		l.t.Fatalf("found %+v of %d dead chunks", dead[0], len(dead))
	}
	show := l.ok("dead", "show", "j1", fmt.Sprint(dead[0].Chunk))
	for _, text := range []string{gone + " version", fmt.Sprintf("bytes %d to", dead[0].Parts[0].Start), "dead after 1"} {
		if !strings.Contains(show, text) {
			l.t.Errorf("show says\n%s\nexpected %q", show, text)
		}
	}
	l.ok("dead", "discard", "j1", fmt.Sprint(dead[0].Chunk))
	if n := len(l.deadChunks("j1")); n != len(dead)-1 {
		l.t.Errorf("%d dead chunks listed after one was discarded, of %d", n, len(dead))
	}
	l.putText("gone.csv", away.String())
	one := l.report(l.run("dead", "replay", "j1", fmt.Sprint(dead[0].Chunk), "--output", "json"), 1)
	if one.Chunks.Dead >= r.Chunks.Dead || one.Chunks.Done <= r.Chunks.Done {
		l.t.Errorf("one chunk replayed: %+v after %+v", one.Chunks, r.Chunks)
	}
	all := l.report(l.run("dead", "replay", "j1", "--output", "json"), 0)
	if all.State != contracts.StateDone || all.Records.Read != 41 || all.Objects.Loaded != 2 || all.Job != "j1" {
		l.t.Errorf("all replayed: %+v", all)
	}
	want := []string{"a|1"}
	for i := range 40 {
		n := 1
		if i == 7 || i == 30 {
			n = 2
		}
		want = append(want, fmt.Sprintf("k%02d|%d", i, n))
	}
	if got := l.smallRows(); !slices.Equal(got, want) {
		l.t.Errorf("table\n%q, expected\n%q", got, want)
	}
	if r := l.run("dead", "replay", "j1"); r.code != 0 || !strings.Contains(r.errOut, "has no dead chunk") {
		l.t.Errorf("exit %d, %q", r.code, r.errOut)
	}
	r0 := l.run("dead", "replay", "j1", "0")
	if r0.code != 1 || !strings.Contains(r0.errOut, "chunk 0 of job j1 is not dead") {
		l.t.Errorf("exit %d, %q", r0.code, r0.errOut)
	}
	if l.cql == nil {
		return
	}
	l.must(l.cql.Query("ALTER TABLE " + l.keyspace + ".small WITH gc_grace_seconds = 0").Exec())
	if r := l.run("dead", "replay", "j1"); r.code != 1 || !strings.Contains(r.errOut, "gc_grace_seconds") {
		l.t.Errorf("exit %d, %q; expected a word of gc_grace_seconds", r.code, r.errOut)
	}
}

// wipe takes a nats-server's whole store away.
func wipe(t *testing.T, queue *testenv.NATSServer) {
	t.Helper()
	queue.Kill()
	if err := os.RemoveAll(queue.Store); err != nil {
		t.Fatal(err)
	}
	queue.Restart()
}

type deadChunk struct {
	Job      contracts.JobID
	Chunk    int
	Attempts int
	Error    contracts.ErrorInfo
	Parts    []struct {
		Object     string
		Start, End int64
	}
	Failures []contracts.ErrorInfo
}

func (l *lab) deadChunks(job string) (all []deadChunk) {
	l.t.Helper()
	for line := range strings.Lines(l.ok("dead", "list", job, "--output", "json")) {
		var d deadChunk
		l.must(json.Unmarshal([]byte(line), &d))
		all = append(all, d)
	}
	return all
}

// smallRows are the rows of smallPipeline's table, in order.
func (l *lab) smallRows() []string {
	l.t.Helper()
	if l.cql == nil {
		return l.query("SELECT id, n FROM small ORDER BY id")
	}
	var rows []string
	iter := l.cql.Query("SELECT id, n FROM " + l.keyspace + ".small").Iter()
	var id string
	var n int
	for iter.Scan(&id, &n) {
		rows = append(rows, fmt.Sprintf("%s|%d", id, n))
	}
	l.must(iter.Close())
	slices.Sort(rows)
	return rows
}

// TestRefusedMessagesAreKept: what can never be a job is listed, after NATS has forgotten it, and published again once
// its pipeline is there.
func TestRefusedMessagesAreKept(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.start("up").says("penstock is up")
	source := l.putText("a.csv", "id,n\na,1\n")
	events := l.events("*")
	letters := make(chan *nats.Msg, 3)
	_, err := l.nats.ChanSubscribe(l.prefix+".dead.jobs", letters)
	l.must(err)
	l.must(l.nats.Flush())
	for range 2 { // the same twice is one
		l.publish("small", l.json(map[string]any{"id": "j1", "source": []string{source}}))
	}
	l.publish("small", []byte("hello"))
	for range 3 {
		l.receive(letters, "a dead letter")
	}
	js, err := jetstream.New(l.nats)
	l.must(err)
	l.must(js.DeleteStream(t.Context(), strings.ToUpper(l.prefix)+"_DEAD"))
	var ids []string
	for line := range strings.Lines(l.ok("dead", "list", "--output", "json")) {
		var m struct{ Message, Subject, Reason string }
		l.must(json.Unmarshal([]byte(line), &m))
		if strings.Contains(m.Reason, `pipeline "small"`) {
			ids = append([]string{m.Message}, ids...)
		} else {
			ids = append(ids, m.Message)
		}
	}
	if len(ids) != 2 {
		t.Fatalf("found %q, expected two messages", ids)
	}
	if out := l.ok("dead", "show", ids[1]); !strings.Contains(out, `"hello"`) {
		t.Errorf("show says %q", out)
	}
	l.ok("dead", "discard", ids[1])
	l.apply(l.file("small.yaml", smallPipeline))
	l.ok("dead", "replay", ids[0])
	if r := l.awaitEnd(events, "j1"); r.State != contracts.StateDone {
		t.Errorf("found %+v", r)
	}
	if out := l.ok("dead", "list"); out != "" {
		t.Errorf("list says %q, expected nothing", out)
	}
	if out := l.ok("dead", "list", "--all"); strings.Count(out, "\n") != 2 {
		t.Errorf("list --all says %q, expected two messages", out)
	}
	l.ok("dead", "replay", ids[1])
	l.receive(letters, "a dead letter")
	if out := l.ok("dead", "list"); !strings.Contains(out, ids[1]) {
		t.Errorf("list says %q, expected %s, which was refused again", out, ids[1])
	}
}
