// Command sidebyside loads the same files by Penstock and by other loaders into one Apache Cassandra, in turns, and
// writes what each took: `make bench`. It installs and starts all that it needs, and ends what it started.
//
//	go run ./loadtest/sidebyside [-files 1,1b,2] [-tools penstock,bare,dsbulk-replica] [-rounds 3] [-rows 1000000]
//
// For each file: the table is emptied, the server comes to rest, one tool loads, the server comes to rest again, the
// rows are counted; then the next tool. The rest belongs to the run: what Cassandra flushes and compacts because of a
// load is charged to it. docs/benchmarks.md says what the columns mean. The exit code is 1 where Penstock lost a row;
// what others lose is in the table.
//
// What must never happen: a figure of a tool that lost rows without a word of it; tools that meet different machine
// states because one was run after the other; anything left running.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/peers"
	"github.com/penstock-io/penstock/loadtest/report"
)

// options are the flags.
type options struct {
	files, tools, flags string
	rounds, warmups     int
	rows                int64
	heapMB              int
	limit               time.Duration
	out, cache          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	sets, err := dataset.Find(strings.Split(o.files, ","), o.rows)
	if err != nil {
		return err
	}
	compared, err := peers.Find(strings.Split(o.tools, ","))
	if err != nil {
		return err
	}
	if err := install(ctx, compared, stderr); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "sidebyside-")
	if err != nil {
		return fmt.Errorf("make a scratch folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	lab, err := start(ctx, scratch, o.heapMB)
	if err != nil {
		return err
	}
	defer lab.stop()
	c := comparison{options: o, lab: lab, tools: compared, scratch: scratch, log: stderr}
	var wrong []report.Run
	for i, set := range sets {
		results, err := c.compare(ctx, set, i == 0)
		if err != nil {
			return fmt.Errorf("file %s: %w", set.Name, err)
		}
		if err := save(o.out, results); err != nil {
			return err
		}
		fmt.Fprintln(stdout, results.Markdown())
		wrong = append(wrong, results.Wrong(peers.Penstock)...)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("penstock did not load all rows: %+v", wrong)
	}
	return nil
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("sidebyside", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var names []string
	for _, tool := range peers.All() {
		names = append(names, tool.Name)
	}
	flags.StringVar(&o.files, "files", "1,1b,2", "which: 1, 1b, 2, 3, 4, 5, 6")
	flags.StringVar(&o.tools, "tools", strings.Join(names, ","), "which; the flags of each are in loadtest/peers")
	flags.StringVar(&o.flags, "penstock", "", "further flags of `penstock load`, separated by blanks")
	flags.IntVar(&o.rounds, "rounds", 3, "runs of each tool; file 6 is loaded once")
	flags.IntVar(&o.warmups, "warmup", 1, "rounds before those, which are not counted")
	flags.Int64Var(&o.rows, "rows", 1_000_000, "of file 1; the others follow from it")
	flags.IntVar(&o.heapMB, "heap", 4096, "MB of Cassandra's heap")
	flags.DurationVar(&o.limit, "limit", 30*time.Minute, "a run that takes longer has failed")
	flags.StringVar(&o.out, "out", filepath.Join("bin", "sidebyside"), "folder of the tables, plots and runs")
	flags.StringVar(&o.cache, "cache", "", "folder of the generated files (default: in Penstock's cache)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.rows < 1 {
		return o, fmt.Errorf("%q, %d rounds, %d rows: expected no arguments, at least one round and one row",
			flags.Args(), o.rounds, o.rows)
	}
	if o.cache == "" {
		cache, err := tools.CacheDir()
		if err != nil {
			return o, err
		}
		o.cache = filepath.Join(cache, "loadtest")
	}
	return o, nil
}

// install sees to the servers and the tools.
func install(ctx context.Context, compared []peers.Tool, log io.Writer) error {
	in := tools.Installer{Log: log, Pauses: tools.Patient()}
	if err := in.Servers(ctx); err != nil {
		return err
	}
	for _, tool := range compared {
		if err := tool.Install(ctx, in); err != nil {
			return fmt.Errorf("install %s: %w", tool.Name, err)
		}
	}
	return nil
}
