package e2e

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// TestEventTimeWins loads records whose event times are in no order, in one file and over two jobs, and all again: in
// each column the latest event time wins. Without the hazard accepted the pipeline is refused.
func TestEventTimeWins(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *lab) {
		columns := []string{"k", "c", "a", "b"}
		const unsafe = "allow_unsafe: [event_time_ties]"
		text := l.read(l.pipeline("events", "write: {timestamp: seen}\n"+unsafe, columns...)) +
			"  - {name: seen, type: timestamp}\n"
		pipeline := l.file("events.yaml", text)
		refused := l.file("refused.yaml", strings.Replace(text, unsafe, "", 1))
		r := l.run("load", refused, l.putText("0.csv", "k\n"))
		if r.code != 1 || !strings.Contains(r.errOut, "with the same event time may meet in one torn row") ||
			!strings.Contains(r.errOut, unsafe) {
			t.Errorf("exit %d, expected it refused with the reason\n%s", r.code, r.errOut)
		}
		newer := l.putText("1.csv", "k,c,a,b,seen\n"+
			"k,1,a3,,2026-01-03\n"+
			"k,1,a1,b1,2026-01-01\n"+
			"k,1,,b2,2026-01-02\n"+
			"k,1,x,x,\n"+
			"k,2,a5,b5,2026-01-05\n")
		older := l.putText("2.csv", "k,c,a,b,seen\nk,1,z,z,2025-12-31\nk,2,a6,,2026-01-06\nk,2,z,z,2026-01-04\n")
		report := l.load(3, pipeline, newer)
		if want := (contracts.Counts{Read: 5, Written: 2, Merged: 2, Rejected: 1}); report.Records != want {
			t.Errorf("records %+v, expected %+v", report.Records, want)
		}
		l.load(0, pipeline, older)
		want := []string{"k|1|a3|b2", "k|2|a6|b5"}
		l.expectRows(want, "events", columns...)
		l.load(3, "--force", "--chunk-size", "16B", pipeline, newer, older)
		l.expectRows(want, "events", columns...)
	})
}
