package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// TestSchemaChangesInTheMiddle changes the table under a job: the job fails and names what changed, and blames no
// record.
func TestSchemaChangesInTheMiddle(t *testing.T) {
	t.Parallel()
	const again = " (device text, seq int, ts timestamp, level double, ok boolean, note text, count bigint, day date, " +
		"tag ascii, twice bigint, PRIMARY KEY "
	for _, c := range []struct {
		name    string
		changes []string // of the table T
		says    string
	}{
		{"column dropped", []string{"ALTER TABLE T DROP note"}, `column "note": found no such column, expected type text`},
		{"type altered", []string{"ALTER TABLE T DROP note", "ALTER TABLE T ADD note blob"},
			`column "note": found type blob, expected text`},
		{"column dropped and added", []string{"ALTER TABLE T DROP note", "ALTER TABLE T ADD note text"},
			`column "note" was dropped at`},
		{"table dropped", []string{"DROP TABLE T"}, `table "readings" does not exist in keyspace`},
		{"another key", []string{"DROP TABLE T", "CREATE TABLE T" + again + "(device))"},
			"clustering key: found (), expected (seq)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.start("dispatcher").says("msg=ready")
			worker := l.start("worker", "--workers", "1")
			d := l.submitReadings()
			d.midway()
			worker.Signal(syscall.SIGSTOP)
			for _, change := range c.changes {
				l.must(l.cql.Query(strings.Replace(change, "TABLE T", "TABLE "+l.keyspace+".readings", 1)).Exec())
			}
			worker.Signal(syscall.SIGCONT)
			r := l.awaitEnd(d.events, contracts.JobID(d.job))
			if r.State != contracts.StateFailed || r.Error == nil || r.Error.Kind != contracts.KindConfig ||
				!strings.Contains(r.Error.Message, c.says) || r.Records.Rejected != 0 {
				t.Errorf("report %+v, error %+v, expected one that says %q", r, r.Error, c.says)
			}
		})
	}
}
