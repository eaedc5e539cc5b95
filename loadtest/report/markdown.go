package report

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/peers"
)

// Markdown is the table of one set with what it comes to.
func (r Results) Markdown() string {
	var b strings.Builder
	lines := r.lines()
	fmt.Fprintf(&b, "### File %s: %s\n%s\n\n", r.Files.Name, r.Files.Title, r.describe())
	b.WriteString("| | seconds | rows/s | Penstock's rows/s | client CPU-s | server CPU-s | both | Penstock's both |" +
		" S3 and NATS CPU-s | peak MiB | rows |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	own, judged := best(lines, peers.Penstock)
	for _, l := range lines {
		b.WriteString(l.markdown(own, judged, r.Files.Rows))
	}
	for _, said := range append(verdicts(lines), r.noise(), strings.Join(r.Machine, "; ")+".") {
		fmt.Fprintf(&b, "\n%s\n", said)
	}
	return b.String()
}

// describe says what the files are.
func (r Results) describe() string {
	f := r.Files
	partitions := count(f.Partitions) + " partitions"
	if f.Order == dataset.Unique {
		partitions = "as many partitions"
	}
	files := "1 file"
	if f.Count > 1 {
		files = count(f.Count) + " files"
	}
	return fmt.Sprintf("%s rows in %s, %.1f MB of %s in %s. Medians of %d runs; CPU-seconds per million rows.",
		count(f.Rows), partitions, float64(f.Bytes)/1e6, strings.ToUpper(string(f.Format)), files, r.rounds())
}

func (r Results) rounds() int {
	rounds := 0
	for _, run := range r.Runs {
		rounds = max(rounds, run.Round)
	}
	return rounds
}

func (l line) markdown(own line, judged bool, rows int64) string {
	if l.right == 0 {
		return fmt.Sprintf("| %s | | | | | | | | | | %s |\n", l.tool.Name, l.found(rows))
	}
	rate, both := "", ""
	if judged && l.tool.Kind != peers.Penstock {
		rate, both = ratio(own.rate/l.rate), ratio(own.both()/l.both())
	}
	return fmt.Sprintf("| %s | %.1f | %s | %s | %.1f | %.1f | %.1f | %s | %.1f | %.0f | %s |\n", l.tool.Name,
		l.wall.Seconds(), count(int64(l.rate)), rate, l.client, l.server, l.both(), both, l.helpers, l.peak, l.found(rows))
}

// found says how many rows the tool left in the table.
func (l line) found(rows int64) string {
	if l.right == l.runs {
		return "all"
	}
	said := fmt.Sprintf("wrong in %d of %d runs: %s of %s", l.runs-l.right, l.runs, count(l.fewest), count(rows))
	if l.failure != "" {
		said += " (" + strings.ReplaceAll(l.failure, "|", `\|`) + ")"
	}
	return said
}

// verdicts say how Penstock compares with the fastest loader and with the yardstick.
func verdicts(lines []line) []string {
	own, ok := best(lines, peers.Penstock)
	if !ok {
		return nil
	}
	var said []string
	if peer, ok := best(lines, peers.Loader); ok {
		said = append(said, fmt.Sprintf("Penstock loads %s the rows per second of the fastest loader (%s), "+
			"for %s its CPU time.", ratio(own.rate/peer.rate), peer.tool.Name, ratio(own.both()/peer.both())))
	}
	if bare, ok := best(lines, peers.Yardstick); ok {
		said = append(said, fmt.Sprintf("It takes %s the CPU time of the bare loop, at %s its rows per second.",
			ratio(own.both()/bare.both()), ratio(own.rate/bare.rate)))
	}
	return said
}

// noise says what else the machine did, which falsifies seconds more than CPU-seconds.
func (r Results) noise() string {
	least, most := 0.0, 0.0
	for i, run := range r.Runs {
		cores := run.Others.Seconds() / run.Wall.Seconds()
		if i == 0 || cores < least {
			least = cores
		}
		most = max(most, cores)
	}
	return fmt.Sprintf("Other processes of the machine used %.1f to %.1f cores during the runs.", least, most)
}

func ratio(x float64) string { return fmt.Sprintf("%.2f×", x) }

// count writes a number with its thousands apart.
func count(n int64) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
