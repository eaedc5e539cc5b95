package lines

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func all(t *testing.T, src string, o Options) (found []string) {
	t.Helper()
	r := New(strings.NewReader(src), o)
	var rec contracts.Record
	for {
		if err := r.Next(&rec); err == io.EOF {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if rec.Problem == nil && src[rec.Offset:rec.Offset+rec.Length] != string(rec.Raw) && rec.Offset > 0 {
			t.Fatalf("%q: line at %d+%d is %q", src, rec.Offset, rec.Length, rec.Raw)
		}
		found = append(found, string(rec.Raw))
	}
}

func TestBufferSizeChangesNothing(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	words := []string{"a", "bcd", "\n", "\r", "\r\n", " ", "\t", strings.Repeat("long ", 10), strings.Repeat("x", 1200)}
	for range 3000 {
		var doc strings.Builder
		for range rnd.IntN(30) {
			doc.WriteString(words[rnd.IntN(len(words))])
		}
		limit := 1 + rnd.Int64N(60)
		var want []string
		for _, line := range strings.FieldsFunc(doc.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			cut := line[:min(int64(len(line)), limit)]
			if strings.Trim(line, " \t") != "" || int64(len(line)) > limit {
				want = append(want, cut)
			}
		}
		got := all(t, doc.String(), Options{MaxRecord: limit, Buffer: 16 + rnd.IntN(30)})
		if !slices.Equal(got, want) {
			t.Fatalf("%q, limit %d:\n got %q\nwant %q", doc.String(), limit, got, want)
		}
	}
}

func TestALongLineIsAProblemOfItsTrueLength(t *testing.T) {
	t.Parallel()
	r := New(strings.NewReader(strings.Repeat("x", 100_000)+"\nb"), Options{MaxRecord: 10, Buffer: 16})
	var rec contracts.Record
	if err := r.Next(&rec); err != nil || rec.Length != 100_000 || len(rec.Raw) != 10 || rec.Problem == nil {
		t.Fatalf("%v, length %d, %d bytes, %v", err, rec.Length, len(rec.Raw), rec.Problem)
	}
	if cap(r.win.Buf) > 26 {
		t.Errorf("buffer of %d bytes, expected at most the limit and a block", cap(r.win.Buf))
	}
	if err := r.Next(&rec); err != nil || string(rec.Raw) != "b" || rec.Offset != 100_001 {
		t.Errorf("%v, %q at %d", err, rec.Raw, rec.Offset)
	}
}
