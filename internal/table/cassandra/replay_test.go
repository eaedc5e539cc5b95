package cassandra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// TestTablesThatCannotBeReplayed are refused before a row is written, with the reason.
func TestTablesThatCannotBeReplayed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, made string // of the table T, in place of the readings
		ttl        int64
		words      []string
	}{
		{"default TTL", "CREATE TABLE T (device text, seq blob, level int, note text, PRIMARY KEY (device, seq)) " +
			"WITH default_time_to_live = 3600", 0,
			[]string{"default_time_to_live = 3600", "would lengthen its rows' lives", "set write.ttl: 3600"}},
		{"default TTL under one of ours", "CREATE TABLE T (device text, seq blob, level int, note text, " +
			"PRIMARY KEY (device, seq)) WITH default_time_to_live = 3600", 60, nil},
		{"counters that the pipeline writes", "CREATE TABLE T (device text, seq blob, level counter, note counter, " +
			"PRIMARY KEY (device, seq))", 0, []string{`column "level" is a counter`, "twice with one result"}},
		{"materialized view", "CREATE TABLE T_base (device text, seq blob, level int, note text, PRIMARY KEY (device)); " +
			"CREATE MATERIALIZED VIEW T AS SELECT * FROM T_base WHERE device IS NOT NULL AND seq IS NOT NULL " +
			"PRIMARY KEY (device, seq)", 0, []string{"is a materialized view", "load that one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := readings(t, connected(t))
			statements := "DROP TABLE T; " + c.made
			for statement := range strings.SplitSeq(statements, "; ") {
				statement = strings.NewReplacer("T_base", f.table.FullName()+"_base", " T ", " "+f.table.FullName()+" ").
					Replace(statement + " ")
				if err := f.db.alter(t.Context(), c.name, statement); err != nil {
					t.Fatal(err)
				}
			}
			_, err := f.db.Writer(t.Context(), f.table, cql.WriteOptions{TTL: c.ttl})
			if c.words != nil {
				wantError(t, err, contracts.KindConfig, c.words...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("counters that it does not write", func(t *testing.T) {
		t.Parallel()
		f := readings(t, connected(t))
		f.table.Columns = f.table.Columns[:2]
		for _, statement := range []string{
			"DROP TABLE %s", "CREATE TABLE %s (device text, seq blob, hits counter, PRIMARY KEY (device, seq))",
		} {
			if err := f.db.alter(t.Context(), "counters", fmt.Sprintf(statement, f.table.FullName())); err != nil {
				t.Fatal(err)
			}
		}
		_, err := f.db.Writer(t.Context(), f.table, cql.WriteOptions{})
		wantError(t, err, contracts.KindConfig, `column "hits" is a counter`)
	})
}

// TestNoUnfrozenListHidesInAType: Cassandra itself takes no unfrozen user type that holds an unfrozen list, so that no
// column of another type can be a list of many cells.
func TestNoUnfrozenListHidesInAType(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	alter := func(statement string) error {
		return f.db.alter(t.Context(), "types", strings.ReplaceAll(statement, "K.", f.table.Keyspace+"."))
	}
	if err := alter("CREATE TYPE K.holder (l list<text>)"); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"holder", "set<list<text>>", "map<text, list<text>>", "list<list<text>>"} {
		if err := alter("ALTER TABLE K.readings ADD more " + typ); err == nil {
			t.Errorf("Cassandra takes a column of type %s: expected it to refuse", typ)
		}
	}
}
