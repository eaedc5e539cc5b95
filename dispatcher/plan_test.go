package dispatcher

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// planOf plans everything in bucket b with segments of 100 bytes.
func planOf(t *testing.T, m *memory, spec string, change func(*Planning)) ([]state.Planned, PlanResult, error) {
	t.Helper()
	var chunks []state.Planned
	p := Planning{
		Objects: m, Pipeline: compiled(t, spec), Sources: []string{"s3://b"}, SegmentSize: 100,
		Emit: func(c state.Planned) error { chunks = append(chunks, c); return nil },
	}
	if change != nil {
		change(&p)
	}
	out, err := p.Plan(t.Context())
	return chunks, out, err
}

// sketch writes chunks down: key[start,end) of each part, with the ordinals reserved, and what is asked of the chunk.
func sketch(chunks []state.Planned) []string {
	var all []string
	for _, c := range chunks {
		var parts []string
		for _, p := range c.Parts {
			parts = append(parts, fmt.Sprintf("%s[%d,%d)@%d+%d", p.Object.Key, p.Start, p.End, p.Segment, p.Segments))
		}
		text := strings.Join(parts, " ")
		if c.Scan {
			text += " scan"
		}
		if c.Follows {
			text += " follows"
		}
		all = append(all, text)
	}
	return all
}

func expectSketch(t *testing.T, chunks []state.Planned, want ...string) {
	t.Helper()
	if got := sketch(chunks); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPacking(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for key, size := range map[string]int64{"a": 60, "b": 40, "c": 1, "d": 99, "e": 0, "f": 0, "g": 100, "h": 0, "i": 50} {
		m.add("s3://b/"+key, size)
	}
	chunks, out, err := planOf(t, m, csvSpec, nil)
	must(t, err)
	expectSketch(t, chunks, "a[0,60)@0+1 b[0,40)@1+1", "c[0,1)@2+1 d[0,99)@3+1 e[0,0)@4+1 f[0,0)@5+1",
		"g[0,100)@6+1 h[0,0)@7+1", "i[0,50)@8+1")
	want := contracts.PlanTotals{Objects: 9, Chunks: 4, Segments: 9, Bytes: 350}
	if out.Totals != want || len(m.opened) != 0 {
		t.Errorf("found %+v, opened %v, expected %+v", out.Totals, m.opened, want)
	}
}

func TestPackingIsBoundedByNumber(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range maxPacked + 1 {
		m.add(fmt.Sprintf("s3://b/%04d", i), 0)
	}
	chunks, _, err := planOf(t, m, csvSpec, nil)
	if err != nil || len(chunks) != 2 || len(chunks[0].Parts) != maxPacked || len(chunks[1].Parts) != 1 {
		t.Errorf("found %d chunks, %v", len(chunks), err)
	}
	if last := chunks[1].Parts[0]; last.Segment != maxPacked || !last.Whole || last.Records != 0 {
		t.Errorf("found %+v", last)
	}
}

// TestPackingIsBoundedByNames has a chunk's message fit into what NATS takes, however long the names are.
func TestPackingIsBoundedByNames(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range maxPacked {
		m.add(fmt.Sprintf("s3://b/%0800d", i), 0)
	}
	chunks, _, err := planOf(t, m, csvSpec, nil)
	must(t, err)
	if len(chunks) < 2 {
		t.Errorf("found %d chunks, expected several", len(chunks))
	}
	for _, c := range chunks {
		message, err := contracts.Marshal(state.Plan{}.Work(contracts.AcceptedJob{}, contracts.Load, 0, c.Parts))
		must(t, err)
		if n := len(c.Parts) * 800; len(message) < n || len(message) > maxPackedNames+1024 {
			t.Errorf("found a message of %d bytes for %d of names, expected at most %d", len(message), n, maxPackedNames)
		}
	}
}

func TestSplitting(t *testing.T) {
	t.Parallel()
	const header = "k,v\n"
	for name, c := range map[string]struct {
		spec, head string
		size       int64
		want       []string
		records    []int64
	}{
		"csv": {csvSpec, header, 250, []string{"big[4,104)@1+1 scan", "big[104,204)@2+1 scan follows",
			"big[204,250)@3+1 follows"}, []int64{0, -1, -1}},
		"csv to the byte": {csvSpec, header, 204, []string{"big[4,104)@1+1 scan", "big[104,204)@2+1 follows"},
			[]int64{0, -1}},
		"csv, one range": {csvSpec, header, 101, []string{"big[4,101)@1+1"}, []int64{0}},
		"ndjson":         {ndjsonSpec, "", 150, []string{"big[0,100)@1+1", "big[100,150)@2+1"}, []int64{0, -1}},
		"without quoted newlines": {specHead + "source: {format: csv, csv: {quoted_newlines: false}}\n", header, 150,
			[]string{"big[4,104)@1+1", "big[104,150)@2+1"}, []int64{0, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			m.add("s3://b/a", 10)
			m.add("s3://b/big", c.size)
			m.add("s3://b/c", 20)
			m.data["big"] = []byte(c.head + strings.Repeat("{}\n", 300))[:c.size]
			chunks, out, err := planOf(t, m, c.spec, nil)
			must(t, err)
			last := fmt.Sprintf("c[0,20)@%d+1", len(c.want)+1)
			expectSketch(t, chunks, append(append([]string{"a[0,10)@0+1"}, c.want...), last)...)
			for i, n := range c.records {
				if p := chunks[i+1].Parts[0]; p.Records != n || p.Whole || p.Compression != "none" || p.Binding == nil ||
					p.Binding.DataOffset != int64(len(c.head)) {
					t.Errorf("chunk %d: found %+v, expected %d records before it", i+1, p, n)
				}
			}
			if out.Totals.Chunks != len(chunks) || out.Totals.Segments != int64(len(chunks)) {
				t.Errorf("found %+v", out.Totals)
			}
		})
	}
}

func TestCompressedObjectsAreWhole(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.add("s3://b/a.csv.gz", 1000)
	m.add("s3://b/b.csv", 5)
	m.add("s3://b/c.csv.zst", 90)
	m.data["a.csv.gz"] = append([]byte("\x1f\x8b\x08\x00"), make([]byte, 996)...) // without bgzip's field
	chunks, out, err := planOf(t, m, csvSpec, nil)
	must(t, err)
	const gz, zst = 1000 * 1032 / 100, (90*(32<<10) + 99) / 100
	expectSketch(t, chunks, fmt.Sprintf("a.csv.gz[0,1000)@0+%d", gz),
		fmt.Sprintf("b.csv[0,5)@%d+1 c.csv.zst[0,90)@%d+%d", gz, gz+1, zst))
	if c := chunks[1].Parts; c[1].Compression != "zstd" || c[0].Compression != "none" || !c[1].Whole {
		t.Errorf("found %+v", c)
	}
	if out.Totals.Segments != gz+1+zst || len(m.opened) != 1 { // a look at whether the first comes in blocks
		t.Errorf("found %+v, opened %v", out.Totals, m.opened)
	}
}

func TestLedgerSkips(t *testing.T) {
	t.Parallel()
	m := newMemory("s3://b/a", "s3://b/b", "s3://b/c")
	chunks, out, err := planOf(t, m, csvSpec, func(p *Planning) {
		p.Loaded = func(o contracts.Object) (bool, error) { return o.Key == "b", nil }
	})
	must(t, err)
	expectSketch(t, chunks, "a[0,10)@0+1 c[0,10)@1+1")
	if want := (contracts.PlanTotals{Objects: 3, Skipped: 1, Chunks: 1, Segments: 2, Bytes: 20}); out.Totals != want {
		t.Errorf("found %+v", out.Totals)
	}
}

// TestFailuresOfObjects: a head that cannot be read, a header that does not fit, and a source that names nothing.
func TestFailuresOfObjects(t *testing.T) {
	t.Parallel()
	m := newMemory("s3://b/a", "s3://b/z")
	for _, key := range []string{"bad", "denied", "good"} {
		m.add("s3://b/"+key, 101)
		m.data[key] = []byte("k,v\n" + strings.Repeat("1,2\n", 30))[:101]
	}
	m.data["bad"] = []byte("k,w\n" + strings.Repeat("1,2\n", 30))[:101]
	m.openFail["denied"] = contracts.At(contracts.KindDenied, "s3://b/denied", -1, "no")
	chunks, out, err := planOf(t, m, csvSpec, func(p *Planning) { p.Sources = append(p.Sources, "s3://b/none/") })
	must(t, err)
	expectSketch(t, chunks, "a[0,10)@0+1", "good[4,101)@1+1", "z[0,10)@2+1")
	var found []string
	for _, f := range out.Failures {
		found = append(found, fmt.Sprintf("%s %s", f.Kind, *f.Object))
	}
	if want := "missing s3://b/none/, input s3://b/bad, denied s3://b/denied"; strings.Join(found, ", ") != want {
		t.Errorf("found %q, expected %q", found, want)
	}
	if out.Totals.Objects != 6 || out.Totals.Failed != 3 {
		t.Errorf("found %+v", out.Totals)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	var sources []string
	for i := range state.MaxFailures + 5 {
		sources = append(sources, fmt.Sprintf("s3://b/none%d", i))
	}
	_, out, err := planOf(t, newMemory(), csvSpec, func(p *Planning) { p.Sources = sources })
	if err != nil || len(out.Failures) != state.MaxFailures || out.Totals.Failed != int64(len(sources)) {
		t.Errorf("found %d failures, %+v, %v", len(out.Failures), out.Totals, err)
	}
}

// TestPlanningThatCannotGoOn: errors that may pass, and any of the store that the plan or the ledger is in.
func TestPlanningThatCannotGoOn(t *testing.T) {
	t.Parallel()
	away, denied := contracts.Errorf(contracts.KindUnavailable, "down"), contracts.Errorf(contracts.KindDenied, "no")
	for name, c := range map[string]struct {
		fault error
		set   func(*memory, *Planning, error)
	}{
		"listing breaks off": {away, func(m *memory, _ *Planning, err error) { m.listFail["b"] = err }},
		"head away":          {away, func(m *memory, _ *Planning, err error) { m.openFail["big"] = err }},
		"a fault of ours": {contracts.Errorf(contracts.KindInternal, "oops"),
			func(m *memory, _ *Planning, err error) { m.openFail["big"] = err }},
		"ledger denied": {denied, func(_ *memory, p *Planning, err error) {
			p.Loaded = func(contracts.Object) (bool, error) { return false, err }
		}},
		"plan denied": {denied, func(_ *memory, p *Planning, err error) {
			p.Emit = func(state.Planned) error { return err }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory("s3://b/a", "s3://b/c")
			m.add("s3://b/big", 500)
			m.data["big"] = []byte("k,v\n" + strings.Repeat("1,2\n", 200))[:500]
			_, _, err := planOf(t, m, csvSpec, func(p *Planning) { c.set(m, p, c.fault) })
			if !errors.Is(err, c.fault) {
				t.Errorf("found %v, expected %v", err, c.fault)
			}
		})
	}
}
