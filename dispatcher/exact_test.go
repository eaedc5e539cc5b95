package dispatcher

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// TestExactSources: the job of one object is of no other, whatever else begins with its key.
func TestExactSources(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"in/data.csv", "in/a*b", "in/x*", `in/back\slash`, "é", "x", "in/ü+%20 y.csv"} {
		s, err := parseSource(exactSource(contracts.Object{Bucket: "b", Key: key}))
		must(t, err)
		if s.pattern == nil || !s.pattern.MatchString(key) || s.pattern.MatchString(key+".tmp") {
			t.Errorf("%q: found %+v, expected a pattern that matches it and nothing longer", key, s)
		}
	}
}

// TestHeaderLongerThanASegment: an object of a header alone is read whole, whatever the size of segments.
func TestHeaderLongerThanASegment(t *testing.T) {
	t.Parallel()
	m := newMemory()
	header := "k,v," + strings.Repeat("more,", 30) + "\n"
	m.add("s3://b/a", int64(len(header)))
	m.data["a"] = []byte(header)
	chunks, out, err := planOf(t, m, csvSpec, nil)
	must(t, err)
	if len(chunks) != 1 || !chunks[0].Parts[0].Whole || out.Totals.Chunks != 1 {
		t.Errorf("found %+v, %+v: expected one chunk, read whole", chunks, out)
	}
}
