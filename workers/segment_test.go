package workers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

// TestSegmentIsOneMerge has each key three times in one segment, at each of some distances: one row comes of it, whole,
// however much was read in between.
func TestSegmentIsOneMerge(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	want, keys, records := map[string]string{}, int64(0), int64(0)
	for _, distance := range []int{1, 7, 500, 6000} {
		keys += int64(distance)
		for i := range 3 * distance {
			records++
			partition, clustering := fmt.Sprint(distance), fmt.Sprint(i%distance)
			set := map[string]string{"a": fmt.Sprint(rnd.IntN(1000))}
			if i < 2*distance {
				set["b"] = fmt.Sprint(i)
			}
			fmt.Fprintf(&b, `{"p":%q,"c":%q,"a":%q`, partition, clustering, set["a"])
			if set["b"] != "" {
				fmt.Fprintf(&b, `,"b":%q`, set["b"])
			}
			b.WriteString("}\n")
			key := string(cql.AppendValue(cql.AppendValue(nil, []byte(partition)), []byte(clustering)))
			want[key+" row"] = ""
			for column, value := range set {
				want[key+" "+column] = value
			}
		}
	}
	c := compiled(t, fmt.Sprintf(mergeSpec, "", "unset"))
	table := newMemoryTable(c.Table().Columns, nil)
	r := newRig(c, write(table.write))
	r.source.data["o"] = b.Bytes()
	w := work(r.source.part("o", "none", 0, 1))
	w.SegmentSize = int64(b.Len())
	got, err := newLoader(r.Workers).load(t.Context(), w)
	must(t, err)
	if got.Counts.Read != records || got.Counts.Written != keys || got.Counts.Merged != records-keys || table.calls != 1 {
		t.Errorf("found %+v in %d writes, expected one write of %d rows", got.Counts, table.calls, keys)
	}
	if table.dump() != dumpCells(want) {
		t.Error("rows are not those of the last set values")
	}
}
