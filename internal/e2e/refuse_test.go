package e2e

import (
	"strings"
	"testing"
)

// TestUnsafeTablesAreRefused applies a pipeline to tables that cannot be written twice with one result: it is refused
// before anything is read, with the reason. A table that only forgets deletions is a warning.
func TestUnsafeTablesAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.must(l.cql.Query("CREATE KEYSPACE " + l.keyspace +
		" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").Exec())
	for name, c := range map[string]struct {
		table, settings string
		code            int
		says            string
	}{
		"counters": {"(k text, c text, v counter, PRIMARY KEY (k, c))", "", 1, `column "v" is a counter`},
		"default_ttl": {
			"(k text, c text, v text, PRIMARY KEY (k, c)) WITH default_time_to_live = 60", "", 1, "set write.ttl: 60",
		},
		"ttl": {
			"(k text, c text, v text, PRIMARY KEY (k, c)) WITH default_time_to_live = 60", "write: {ttl: 60}", 0, "",
		},
		"grace": {"(k text, c text, v text, PRIMARY KEY (k, c)) WITH gc_grace_seconds = 0", "", 0, "gc_grace_seconds = 0"},
		"list": {
			"(k text, c text, v list<text>, PRIMARY KEY (k, c))", "", 1, "is a list that is not frozen",
		},
		"list_accepted": {
			"(k text, c text, v list<text>, PRIMARY KEY (k, c))", "allow_unsafe: [unfrozen_list]", 0, "",
		},
	} {
		l.must(l.cql.Query("CREATE TABLE " + l.keyspace + "." + name + " " + c.table).Exec())
		pipeline := l.pipeline(name, c.settings, "k", "c", "v")
		if strings.HasPrefix(name, "list") {
			text := strings.Replace(l.read(pipeline), "{name: v, type: text}", "{name: v, type: list<text>}", 1)
			pipeline = l.file(name+".yaml", text)
		}
		r := l.run("apply", pipeline)
		if r.code != c.code || !strings.Contains(r.errOut+r.out, c.says) {
			t.Errorf("%s: exit %d, expected %d and %q\n%s%s", name, r.code, c.code, c.says, r.out, r.errOut)
		}
	}
}
