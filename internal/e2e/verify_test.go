package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

const mixedPipeline = `
name: mixed
source: {format: csv, csv: {null: [""]}}
table:
  keyspace: %s
  name: mixed
  partition_key: [id]
  clustering_key: [seq]
  create: true
  types: {address: {street: text, zip: int}}
columns:
  - {name: id, type: text}
  - {name: seq, type: int}
  - {name: place, type: text, static: true}
  - {name: level, type: int}
  - {name: note, type: text}
  - {name: ratio, type: double}
  - {name: tags, type: set<text>}
  - {name: home, type: address}
  - {name: was, type: frozen<address>}
where: "note != 'drop'"
nulls: %s
write: {ttl: %d}
`

// mixedRows are lines from first to last of a file: keys that come again after 7 and after 140 lines, quoted line
// breaks, empty fields, static columns, collections, user types, records that are filtered and that are rejected.
func mixedRows(first, last int) string {
	var b strings.Builder
	b.WriteString("id,seq,place,level,note,ratio,tags,home,was\n")
	for i := first; i < last; i++ {
		id, seq := fmt.Sprintf("d%d", i%7), fmt.Sprint(i%20)
		place, level, note, ratio := "", fmt.Sprint(i), fmt.Sprintf("\"note, %d\r\nof \"\"two\"\" lines\"", i), "-0"
		tags, home, was := `"[""t1"",""t2""]"`, fmt.Sprintf(`"{""street"": ""s%d""}"`, i), `"{""zip"": 7}"`
		switch i % 9 {
		case 0:
			place, level = fmt.Sprintf("place %d", i), ""
		case 1:
			note, tags = "", ""
		case 2:
			ratio, home, was = "0.25", "", ""
		case 3:
			note = "drop"
		case 4:
			level = "x"
		case 5:
			level, note, ratio, tags, home, was = "", "", "", "", "", ""
		case 6:
			tags = "[]"
		}
		fmt.Fprintln(&b, strings.Join([]string{id, seq, place, level, note, ratio, tags, home, was}, ","))
	}
	return b.String()
}

// verified is what `penstock verify --output json` prints.
type verified struct {
	Job         contracts.JobID `json:"job"`
	Chunks      int             `json:"chunks"`
	Unloaded    int             `json:"unloaded"`
	Rows        int64           `json:"rows"`
	Cells       cellCounts      `json:"cells"`
	Mended      int64           `json:"mended"`
	Differences []struct {
		Key             map[string]string `json:"key"`
		Column          string            `json:"column"`
		Verdict         string            `json:"verdict"`
		Expected, Found *string
		Time            *int64 `json:"time"`
		Object          string `json:"object"`
		Offset          int64  `json:"offset"`
	} `json:"differences"`
	Unreadable int                   `json:"unreadable"`
	Errors     []contracts.ErrorInfo `json:"errors"`
}

type cellCounts struct {
	Right, Superseded, Missing, Differs int64
}

// verify runs `penstock verify`, which must end with the code.
func (l *lab) verify(job contracts.JobID, code int, flags ...string) verified {
	l.t.Helper()
	r := l.run(append([]string{"verify", string(job), "--output", "json"}, flags...)...)
	if r.code != code {
		l.t.Fatalf("verify: exit %d, expected %d\n%s%s", r.code, code, r.out, r.errOut)
	}
	var v verified
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		l.t.Fatalf("verify: %v\n%s", err, r.out)
	}
	if v.Job != job {
		l.t.Errorf("verified job %q, expected %q", v.Job, job)
	}
	return v
}

// told are differences in short.
func (v verified) told() []string {
	var all []string
	for _, d := range v.Differences {
		all = append(all, fmt.Sprintf("%s %s/%s %s", d.Verdict, d.Key["id"], d.Key["seq"], d.Column))
	}
	slices.Sort(all)
	return all
}

// loadMixed loads three kinds of object: one of many chunks, a stream of many segments, and small ones that share a
// chunk.
func (l *lab) loadMixed(keyspace, nulls string, ttl int) contracts.Report {
	l.t.Helper()
	l.putText("in/a.csv", mixedRows(0, 600))
	l.putText("in/b.csv.gz", string(compressed(l.t, "b.csv.gz", []byte(mixedRows(600, 900)))))
	l.putText("in/c.csv", mixedRows(900, 905))
	l.putText("in/d.csv", mixedRows(905, 910))
	l.putText("in/e.csv.bgz", string(compressed(l.t, "e.csv.bgz", []byte(mixedRows(910, 2000)))))
	pipeline := l.file("mixed.yaml", fmt.Sprintf(mixedPipeline, keyspace, nulls, ttl))
	return l.report(l.run("load", "--output", "json", "--chunk-size", "4KiB", pipeline, "s3://"+l.bucket+"/in/"), 3)
}

// TestVerifyOnBothTargets finds all right after a load, of every kind of column and of object.
func TestVerifyOnBothTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, nulls string
		lab         func(*testing.T, ...string) *lab
	}{
		{"SQLite", "unset", newFileLab}, {"SQLite, nulls delete", "delete", newFileLab},
		{"Cassandra", "unset", newLab}, {"Cassandra, nulls delete", "delete", newLab},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := c.lab(t)
			r := l.loadMixed(l.keyspace, c.nulls, 0)
			v := l.verify(r.Job, 0, "--full")
			if v.Chunks != r.Chunks.Total || v.Chunks < 10 || v.Rows != r.Records.Written || v.Cells.Right < 500 ||
				v.Cells.Superseded < 500 || len(v.Differences) != 0 || v.Mended != 0 {
				t.Errorf("found %+v after %+v", v, r)
			}
			few := l.verify(r.Job, 0, "--sample", "3")
			if few.Chunks != 3 || few.Rows == 0 || few.Rows >= v.Rows {
				t.Errorf("of a sample: %+v; of all: %+v", few, v)
			}
		})
	}
}

// TestVerifyTellsWhatIsWrong spoils cells on purpose: each is told as what it is.
func TestVerifyTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	r := l.loadMixed(l.keyspace, "unset", 0)
	before := l.verify(r.Job, 0, "--full")
	table := l.keyspace + ".mixed"
	at := l.writetime(table, "note", "d0", 7)
	l.exec("INSERT INTO "+table+" (id, seq, note) VALUES ('d0', 7, 'zz greater') USING TIMESTAMP ?", at)
	l.exec("UPDATE " + table + " SET ratio = 5.0 WHERE id = 'd1' AND seq = 8") // newer
	l.exec("DELETE level FROM " + table + " WHERE id = 'd2' AND seq = 9")
	l.exec("UPDATE " + table + " SET tags = tags + {'more'} WHERE id = 'd3' AND seq = 10")

	v := l.verify(r.Job, 1, "--full")
	want := []string{"differs d0/7 note", "missing d2/9 level"}
	if told := v.told(); !slices.Equal(slices.Compact(told), want) {
		t.Errorf("differences %q, expected %q: %+v", told, want, v)
	}
	if v.Cells.Differs != 1 || v.Cells.Missing < 1 || v.Cells.Right != before.Cells.Right-4 {
		t.Errorf("cells %+v, before %+v", v.Cells, before.Cells)
	}
	for _, d := range v.Differences {
		if d.Column == "note" && (d.Found == nil || *d.Found != "zz greater" || d.Time == nil || *d.Time != at) {
			t.Errorf("difference %+v, expected the cell of %d", d, at)
		}
	}
	mended := l.verify(r.Job, 1, "--full", "--repair")
	if told := mended.told(); !slices.Equal(told, want[:1]) || mended.Mended != 0 {
		t.Errorf("after a repair %q, expected that a greater value stays, and what was deleted later too: %+v", told, mended)
	}
	l.exec("ALTER TABLE " + table + " WITH gc_grace_seconds = 0")
	old := l.run("verify", string(r.Job), "--repair")
	if old.code != 1 || !strings.Contains(old.errOut, "gc_grace_seconds") {
		t.Errorf("a repair of what is older than the table's deletions: exit %d: %s", old.code, old.errOut)
	}
}

// TestVerifyRepairsATable loads, loses the table, and has it again as it was, to the cell and its time.
func TestVerifyRepairsATable(t *testing.T) {
	t.Parallel()
	for _, nulls := range []string{"unset", "delete"} {
		t.Run(nulls, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			r := l.loadMixed(l.keyspace, nulls, 0)
			before, cells := l.verify(r.Job, 0, "--full"), l.mixedCells()
			l.exec("TRUNCATE " + l.keyspace + ".mixed")
			lost := l.verify(r.Job, 1)
			if lost.Cells.Missing < 1000 || len(lost.Differences) != 20 {
				t.Errorf("of a table that is empty: %+v", lost.Cells)
			}
			mended := l.verify(r.Job, 3, "--full", "--repair")
			if mended.Mended == 0 || mended.Cells.Missing+mended.Cells.Differs != 0 {
				t.Errorf("mended %+v", mended)
			}
			if after := l.mixedCells(); !slices.Equal(after, cells) {
				t.Errorf("%d rows after the repair, %d before; they differ", len(after), len(cells))
			}
			if after := l.verify(r.Job, 0, "--full"); after.Cells != before.Cells {
				t.Errorf("cells %+v after the repair, %+v before", after.Cells, before.Cells)
			}
		})
	}
}

// TestVerifyKnowsWhatLaterJobsDeleted loads nulls over values, in one job and in a later one.
func TestVerifyKnowsWhatLaterJobsDeleted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pipeline := l.file("p.yaml", fmt.Sprintf(mixedPipeline, l.keyspace, "delete", 0))
	first := l.putText("one.csv", "id,seq,place,level,note,ratio,tags,home,was\na,1,p,1,n,1,[],,\nb,1,p,2,n,2,[],,\n")
	second := l.putText("two.csv", "id,seq,place,level,note,ratio,tags,home,was\na,1,,,n,1,[],,\n")
	one := l.report(l.run("load", "--output", "json", pipeline, first), 0)
	two := l.report(l.run("load", "--output", "json", pipeline, second), 0)
	v := l.verify(one.Job, 0)
	if want := (cellCounts{Right: 7 + 3, Superseded: 4}); v.Cells != want {
		t.Errorf("cells %+v, expected %+v", v.Cells, want)
	}
	l.verify(two.Job, 0)
	l.exec("DELETE note FROM " + l.keyspace + ".mixed WHERE id = 'b' AND seq = 1")
	if told := l.verify(one.Job, 1).told(); !slices.Equal(told, []string{"missing b/1 note"}) {
		t.Errorf("differences %q, expected the cell that no job deleted", told)
	}
}

// TestVerifyTakesExpiryForGranted compares a table whose rows have run out.
func TestVerifyTakesExpiryForGranted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	r := l.loadMixed(l.keyspace, "unset", 5)
	if v := l.verify(r.Job, 0, "--full"); v.Rows != r.Records.Written || v.Cells.Missing != 0 {
		t.Errorf("found %+v", v)
	}
}

// TestVerifyMissesSources verifies a job of which one source changed and one is gone.
func TestVerifyMissesSources(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	r := l.loadMixed("lab", "unset", 0)
	l.putText("in/b.csv.gz", "another")
	l.putText("in/c.csv", "id\nx\n")
	v := l.verify(r.Job, 1, "--full")
	var kinds []string
	for _, e := range v.Errors {
		kinds = append(kinds, string(e.Kind)+" "+strings.TrimPrefix(*e.Object, "s3://"+l.bucket+"/"))
	}
	if want := []string{"changed in/b.csv.gz", "changed in/c.csv"}; !slices.Equal(kinds, want) || v.Unreadable != 2 {
		t.Errorf("errors %q, expected %q", kinds, want)
	}
	if v.Cells.Missing+v.Cells.Differs != 0 || v.Rows == 0 {
		t.Errorf("the other sources: %+v", v)
	}
}

func (l *lab) exec(query string, args ...any) {
	l.t.Helper()
	l.must(l.cql.Query(query, args...).Exec())
}

// writetime is when a cell was written, microseconds.
func (l *lab) writetime(table, column, id string, seq int) (at int64) {
	l.t.Helper()
	q := "SELECT writetime(" + column + ") FROM " + table + " WHERE id = ? AND seq = ?"
	l.must(l.cql.Query(q, id, seq).Scan(&at))
	return at
}

// mixedCells is the whole table with the write times of its cells.
func (l *lab) mixedCells() []string {
	l.t.Helper()
	var all []string
	iter := l.cql.Query("SELECT JSON id, seq, place, level, note, ratio, tags, home, was, writetime(place), " +
		"writetime(level), writetime(note), writetime(ratio), maxwritetime(tags), maxwritetime(home), writetime(was) FROM " +
		l.keyspace + ".mixed").Iter()
	for row := ""; iter.Scan(&row); {
		all = append(all, row)
	}
	l.must(iter.Close())
	if len(all) == 0 {
		l.t.Fatal("the table is empty")
	}
	return all
}

// TestVerifyReadsRejectsAgain verifies and traces a job that loaded what another had rejected.
func TestVerifyReadsRejectsAgain(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	source := l.putText("a.csv", "id,n\na,1\nb,x2\nc,3\n")
	r := l.report(l.run("load", "--output", "json", l.file("small.yaml", smallPipeline), source), 3)
	mended := strings.Replace(smallPipeline, "type: int}", `type: int, expr: 'int(trimPrefix(n, "x"))'}`, 1)
	l.apply(l.file("small.yaml", mended))
	again := l.report(l.run("rejects", string(r.Job), "--replay", "--output", "json"), 0)
	if v := l.verify(again.Job, 0, "--full"); v.Rows != 1 || v.Cells != (cellCounts{Right: 1}) {
		t.Errorf("found %+v after %+v", v, again)
	}
	out := l.ok("trace", "small", "id=b")
	if !strings.Contains(out, `"b,x2"`) || !strings.Contains(out, string(again.Job)) {
		t.Errorf("trace: %s", out)
	}
	l.verify(r.Job, 0)
}
