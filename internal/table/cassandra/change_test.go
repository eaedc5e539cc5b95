package cassandra

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// TestSchemaChangesUnderTheWriter changes a table between two writes of one writer. Cassandra takes the rows in some of
// the cases; the writer does not.
func TestSchemaChangesUnderTheWriter(t *testing.T) {
	t.Parallel()
	const recreated = "DROP TABLE %[1]s; CREATE TABLE %[1]s "
	for _, c := range []struct {
		name, changes string
		words         []string
	}{
		{"column dropped", "ALTER TABLE %[1]s DROP note",
			[]string{`column "note": found no such column, expected type text`}},
		{"column of another type", "ALTER TABLE %[1]s DROP note; ALTER TABLE %[1]s ADD note blob",
			[]string{`column "note": found type blob, expected text`}},
		{"column dropped and added again", "ALTER TABLE %[1]s DROP note; ALTER TABLE %[1]s ADD note text",
			[]string{`column "note" was dropped at`, "1970-01-01T00:00:00.000001Z", "would never be seen"}},
		{"key renamed", "ALTER TABLE %[1]s RENAME seq TO number",
			[]string{"clustering key: found (number), expected (seq)", `column "seq": found no such column`}},
		{"table dropped", "DROP TABLE %[1]s", []string{`"readings" does not exist`}},
		{"table with a shorter key", recreated + "(device text PRIMARY KEY, seq blob, level int, note text)",
			[]string{"clustering key: found (), expected (seq)"}},
		{"table with a longer key",
			recreated + "(device text, seq blob, level int, note text, PRIMARY KEY (device, seq, level))",
			[]string{"clustering key: found (seq, level), expected (seq)"}},
		{"table with another partition key",
			recreated + "(device text, seq blob, level int, note text, PRIMARY KEY ((device, seq)))",
			[]string{"partition key: found (device, seq), expected (device)"}},
		{"table with a static column",
			recreated + "(device text, seq blob, level int, note text STATIC, PRIMARY KEY (device, seq))",
			[]string{`column "note": found a static column, expected a regular one`}},
		{"column added", "ALTER TABLE %[1]s ADD more int", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := readings(t, connected(t))
			w := f.writer(cql.WriteOptions{})
			f.write(w, row("d", "1", 1, "x"))
			for statement := range strings.SplitSeq(fmt.Sprintf(c.changes, f.table.FullName()), "; ") {
				if err := f.db.alter(t.Context(), c.name, statement); err != nil {
					t.Fatal(err)
				}
			}
			refusals, err := w.Write(t.Context(), []cql.Row{row("d", "2", 1, "x"), row("d", "3", 1, "x")}, time.Now())
			if len(refusals) > 0 {
				t.Errorf("rows are blamed: %v", refusals)
			}
			if strings.HasSuffix(c.name, "added again") {
				if got, there := f.notes()["d/2"]; !there || got != "" {
					t.Errorf("the row reads %q: expected Cassandra to take it and to hide the note", got)
				}
			}
			if c.words != nil {
				wantError(t, err, contracts.KindConfig, c.words...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
