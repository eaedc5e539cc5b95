package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// documents are reject objects in memory.
type documents map[string]string

func (d documents) Get(_ context.Context, key string) ([]byte, string, error) {
	if text, ok := d[key]; ok {
		return []byte(text), "", nil
	}
	return nil, "", errors.New("no " + key)
}

func part(key string) contracts.Part {
	return contracts.Part{Object: contracts.Object{Bucket: "b", Key: key}}
}

// TestRefusedRecordsAreSkipped goes through records in the order of reading: those of the rule database are skipped, in
// parts that are read.
func TestRefusedRecordsAreSkipped(t *testing.T) {
	t.Parallel()
	docs := documents{
		"1": `{"object":"s3://b/x","offset":1,"rule":"database"}` + "\n" +
			`{"object":"s3://b/x","offset":2,"rule":"type"}` + "\n" +
			`{"object":"s3://b/gone","offset":3,"rule":"database"}` + "\n",
		"2": `{"object":"s3://b/x","offset":9,"rule":"type"}` + "\n",
		"3": `{"object":"s3://b/y","offset":1,"rule":"database"}` + "\n",
	}
	done := contracts.Completion{
		Rejects: []string{"1", "2", "3"}, Rules: contracts.RuleCounts{contracts.RuleDatabase: 3},
	}
	r := newRefused(docs, contracts.ChunkWork{Parts: []contracts.Part{part("x"), part("y")}}, done)
	var skipped []bool
	for _, at := range []struct {
		part   int
		offset int64
	}{{0, 0}, {0, 1}, {0, 2}, {0, 9}, {1, 0}, {1, 1}, {1, 2}} {
		skipped = append(skipped, r.skip(t.Context(), at.part, at.offset))
	}
	if want := []bool{false, true, false, false, false, true, false}; !slices.Equal(skipped, want) || r.err != nil {
		t.Errorf("skipped %v, expected %v (%v)", skipped, want, r.err)
	}
}

func TestRejectsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for key, says := range map[string]string{"away": "no away", "torn": "unexpected end"} {
		done := contracts.Completion{Rejects: []string{key}, Rules: contracts.RuleCounts{contracts.RuleDatabase: 1}}
		r := newRefused(documents{"torn": `{"object":`}, contracts.ChunkWork{Parts: []contracts.Part{part("x")}}, done)
		if r.skip(t.Context(), 0, 1) || r.err == nil || !strings.Contains(r.err.Error(), says) {
			t.Errorf("%s: error %v, expected one that says %q", key, r.err, says)
		}
	}
	r := newRefused(documents{}, contracts.ChunkWork{Parts: []contracts.Part{part("x")}}, contracts.Completion{
		Rejects: []string{"of other rules"}, Rules: contracts.RuleCounts{contracts.RuleType: 1},
	})
	if r.skip(t.Context(), 0, 1) || r.err != nil {
		t.Errorf("rejects of other rules were read: %v", r.err)
	}
}
