package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

const replaySpec = `
name: m
source: {format: csv}
table: {keyspace: lab, name: m, partition_key: [p], clustering_key: [c]}
columns:
  - {name: p, type: text}
  - {name: c, type: text}
  - {name: s, type: text, static: true}
  - {name: a, type: text}
  - {name: b, type: text}
where: "p != 'gone'"
`

const replayed = "p,c,s,a,b\n" +
	"x,1,s1,a1,\n" + // 10
	"x,2,,a2,b2\n" + // 21
	"x,1,,,b3\n" + // 32
	"gone,1,s,a,b\n" + // 41
	"x,1,s4,bad,\n" + // 54
	"y,1,,a5\n" // 66, a field short

// replayOf replays one object of that content as a chunk.
func replayOf(
	t *testing.T, spec, content string, skip func(part int, offset int64) bool, take func(context.Context, Merged) error,
) (contracts.Completion, error) {
	t.Helper()
	source := &store{data: map[string][]byte{"o": []byte(content)}}
	return NewReplay(source, pipelines{c: compiled(t, spec)}, nil, nil).
		Chunk(t.Context(), work(source.part("o", "none", 7, 1)), skip, take)
}

// TestReplayYieldsWhatALoadWrites compares the rows of a replay, and where their cells are from, with those of a load.
func TestReplayYieldsWhatALoadWrites(t *testing.T) {
	t.Parallel()
	c := compiled(t, replaySpec)
	var loaded []string
	r := newRig(c, write(func(_ context.Context, rows []cql.Row) ([]cql.Refusal, error) {
		loaded = append(loaded, shown(rows)...)
		return nil, nil
	}))
	r.source.data["o"] = []byte(replayed)
	w := work(r.source.part("o", "none", 7, 1))
	want, err := newLoader(r.Workers).load(t.Context(), w)
	must(t, err)

	var again, origins []string
	got, err := replayOf(t, replaySpec, replayed, nil, func(_ context.Context, m Merged) error {
		again = append(again, shown(m.Rows)...)
		for i := range m.Rows {
			for column := -1; column < 5; column++ {
				o := m.Origin(i, column)
				origins = append(origins, fmt.Sprintf("%d.%d=%d %s %d", i, column, o.Offset, o.Raw, o.Record))
			}
		}
		return nil
	})
	must(t, err)
	if !slices.Equal(again, loaded) || len(again) != 2 {
		t.Errorf("replay\n%s\nload\n%s", strings.Join(again, "\n"), strings.Join(loaded, "\n"))
	}
	if got.Counts != want.Counts {
		t.Errorf("counts %+v, the load's %+v", got.Counts, want.Counts)
	}
	for _, w := range []string{
		"0.-1=54 x,1,s4,bad, 5", "0.2=54 x,1,s4,bad, 5", "0.3=54 x,1,s4,bad, 5", "0.4=32 x,1,,,b3 3", "1.3=21 x,2,,a2,b2 2",
	} {
		if !slices.Contains(origins, w) {
			t.Errorf("no origin %q in\n%s", w, strings.Join(origins, "\n"))
		}
	}
}

// TestReplaySkipsWhatTheDatabaseRefused merges without the records that are rejects already.
func TestReplaySkipsWhatTheDatabaseRefused(t *testing.T) {
	t.Parallel()
	var rows, origins []string
	skip := func(part int, offset int64) bool { return part == 0 && offset == 54 }
	got, err := replayOf(t, replaySpec, replayed, skip, func(_ context.Context, m Merged) error {
		rows = append(rows, shown(m.Rows)...)
		for column := range 5 {
			origins = append(origins, fmt.Sprint(m.Origin(0, column).Offset))
		}
		return nil
	})
	must(t, err)
	if want := []string{"x 1 s1 a1 b3 @1000007", "x 2 - a2 b2 @1000007"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q, expected %q", rows, want)
	}
	if want := []string{"32", "32", "10", "10", "32"}; !slices.Equal(origins, want) {
		t.Errorf("origins %q, expected %q", origins, want)
	}
	if want := (contracts.Counts{Read: 6, Written: 2, Merged: 1, Filtered: 1, Rejected: 2}); got.Counts != want {
		t.Errorf("counts %+v, expected %+v", got.Counts, want)
	}
}

func TestReplayEndsWithItsTaker(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	_, err := replayOf(t, replaySpec, replayed, nil, func(context.Context, Merged) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("error %v, expected the taker's", err)
	}
}

// shown writes rows with their times; - is unset.
func shown(rows []cql.Row) []string {
	var lines []string
	for _, r := range rows {
		var b strings.Builder
		for packed := r.Values; len(packed) > 0; {
			var v cql.Value
			if v, packed = cql.NextValue(packed); v.Unset {
				v.Bytes = []byte("-")
			}
			b.Write(append(v.Bytes, ' '))
		}
		lines = append(lines, fmt.Sprintf("%s@%d", b.String(), r.Timestamp))
	}
	return lines
}
