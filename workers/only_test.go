package workers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// rejectText is a reject object of records at some offsets of an object.
type rejectText struct {
	object  string
	offsets []int64
}

func (r rejectText) Get(context.Context, string) (data []byte, etag string, err error) {
	for _, at := range r.offsets {
		data = fmt.Appendf(data, "{\"object\":%q,\"offset\":%d}\n", r.object, at)
	}
	return data, "", nil
}

// TestOnlyTheRecordsThatAreNamed: of a range of lines those are read that were rejected, also the one that follows a
// byte order mark; one that is not there is an error of the object.
func TestOnlyTheRecordsThatAreNamed(t *testing.T) {
	t.Parallel()
	const line = "{\"k\":\"a\",\"n\":1}\n"
	text := "\ufeff" + strings.Repeat(line, 5)
	for _, c := range []struct {
		name    string
		offsets []int64
		missed  bool
	}{
		{"the first", []int64{3}, false},
		{"one in the middle", []int64{3 + int64(len(line))}, false},
		{"the first and the last", []int64{3, 3 + 4*int64(len(line))}, false},
		{"none begins there", []int64{3, 5}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, w := oneRow(t, write(accepting))
			r.withState(t)
			r.source.data["o"] = []byte(text)
			_, err := r.Store.PutDone(t.Context(), contracts.Completion{Job: "old", Rejects: []string{"k"}})
			must(t, err)
			part := r.source.part("o", "none", 0, 1)
			r.RejectDocs = rejectText{part.Object.Address(), c.offsets}
			part.Start, part.End, part.Whole = c.offsets[0], c.offsets[len(c.offsets)-1]+1, false
			part.Records, part.Binding, part.Only = -1, &contracts.Binding{}, &contracts.Only{Job: "old"}
			w.Parts = []contracts.Part{part}
			got, err := newLoader(r.Workers).load(t.Context(), w)
			must(t, err)
			if missed := got.Error != nil; missed != c.missed || !missed && got.Counts.Read != int64(len(c.offsets)) {
				t.Errorf("found %+v, %+v", got.Counts, got.Error)
			}
		})
	}
}
