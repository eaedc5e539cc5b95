package pipeline

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

const eventTimeSpec = `
name: events
source: {format: ndjson}
table: {keyspace: lab, name: t, partition_key: [k]}
columns:
  - {name: k, type: text}
  - {name: at, type: timestamp}
write: {timestamp: at}
allow_unsafe: [event_time_ties]
`

// TestEventTime gives rows the write times of their column, in microseconds, and rejects records that have none.
func TestEventTime(t *testing.T) {
	t.Parallel()
	c, findings := Lint("p.yaml", []byte(eventTimeSpec), nil)
	for _, f := range findings {
		t.Fatal(f)
	}
	if !c.EventTime() {
		t.Error("the pipeline has no event time")
	}
	tr := c.Bind(testContext)
	for _, tt := range []struct {
		at     contracts.Field
		micros int64
		rule   contracts.Rule
		reason string
	}{
		{txt("2026-01-31T10:00:00.123Z"), 1769853600123000, "", ""},
		{num("1"), 1000, "", ""},
		{txt("1969-12-31T23:59:59.999Z"), -1000, "", ""},
		{num("9223372036854775"), 9223372036854775000, "", ""},
		{num("9223372036854776"), 0, contracts.RuleRange, "beyond what a write time can be"},
		{num("-9223372036854776"), 0, contracts.RuleRange, "beyond what a write time can be"},
		{null, 0, contracts.RuleKey, "write.timestamp is null or missing"},
		{missing, 0, contracts.RuleKey, "write.timestamp is null or missing"},
		{txt("noon"), 0, contracts.RuleType, ""},
	} {
		_, row, result, p := tr.Transform(record(0, txt("k"), tt.at), nil)
		switch {
		case tt.rule == "":
			if result != Rowed || row.Timestamp != tt.micros {
				t.Errorf("%s: result %d at %d, expected %d", tt.at.Bytes, result, row.Timestamp, tt.micros)
			}
		case result != Rejected || p.Rule != tt.rule || p.Column != "at" || !strings.Contains(p.Reason, tt.reason):
			t.Errorf("%s: result %d, problem %+v, expected %s: %q", tt.at.Bytes, result, p, tt.rule, tt.reason)
		}
	}
}
