package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/measure"
	"github.com/penstock-io/penstock/loadtest/peers"
	"github.com/penstock-io/penstock/loadtest/report"
)

// comparison runs the tools in turns.
type comparison struct {
	options
	lab     *lab
	tools   []peers.Tool
	scratch string
	log     io.Writer
}

// compare runs all rounds over one set; cold are servers that have not worked yet.
func (c *comparison) compare(ctx context.Context, set dataset.Set, cold bool) (report.Results, error) {
	files, err := dataset.Make(c.cache, set)
	if err != nil {
		return report.Results{}, err
	}
	source, err := c.lab.bucket.upload(ctx, files)
	if err != nil {
		return report.Results{}, err
	}
	results := report.Results{Files: files, Tools: c.tools, Machine: machine(ctx)}
	rounds, first := c.rounds, 1
	if set.Alone {
		rounds = 1
	}
	if cold {
		first -= c.warmups
	}
	for round := first; round <= rounds; round++ {
		runs, err := c.round(ctx, files, source, round)
		if err != nil {
			return results, err
		}
		if round > 0 {
			results.Runs = append(results.Runs, runs...)
		}
	}
	return results, nil
}

// round lets each tool load the files once. Another tool begins each time, so that none always follows the same one.
func (c *comparison) round(ctx context.Context, f dataset.Files, source string, round int) ([]report.Run, error) {
	var runs []report.Run
	for i := range c.tools {
		tool := c.tools[(i+max(round, 1)-1)%len(c.tools)]
		if !tool.Loads(f.Set) {
			continue
		}
		run, err := c.once(ctx, tool, f, source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tool.Name, err)
		}
		run.Round = round
		runs = append(runs, run)
		fmt.Fprintf(c.log, "file %s, round %d: %-14s %6.1f s, CPU-s %5.1f + %5.1f, others' %.1f, %d MiB, %d rows %s\n",
			f.Name, round, tool.Name, run.Wall.Seconds(), run.Client.Seconds(), run.Server.Seconds(), run.Others.Seconds(),
			run.Peak>>20, run.Rows, run.Error)
	}
	return runs, nil
}

// once empties the table and lets a tool fill it. The error is of what is around the tool; its own is in the run.
func (c *comparison) once(ctx context.Context, tool peers.Tool, f dataset.Files, source string) (report.Run, error) {
	run := report.Run{Set: f.Name, Tool: tool.Name}
	if err := c.lab.table.empty(ctx); err != nil {
		return run, err
	}
	if _, err := c.lab.rest(ctx); err != nil {
		return run, err
	}
	cmd, output, err := c.command(tool, f, source)
	if err != nil {
		return run, err
	}
	before, err := c.lab.books()
	if err != nil {
		return run, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("it took longer than %s", c.limit))
	cost, failure := measure.Run(limited, cmd)
	cancel()
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	after, err := c.lab.books()
	if err != nil {
		return run, err
	}
	if failure != nil {
		run.Error = failure.Error()
		fmt.Fprintf(c.log, "%s failed: %v\n%s\n", strings.Join(cmd.Args, " "), failure, tail(output.Bytes()))
	}
	return run, c.account(ctx, &run, f, cost, before, after)
}

// command is a run's, whose output goes into memory: tools say little.
func (c *comparison) command(tool peers.Tool, f dataset.Files, source string) (*exec.Cmd, *bytes.Buffer, error) {
	dir, err := os.MkdirTemp(c.scratch, tool.Name+"-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder of the run: %w", err)
	}
	host, port, err := net.SplitHostPort(c.lab.cassandra.Addr)
	if err != nil {
		return nil, nil, err
	}
	cmd, err := tool.Command(peers.Job{
		Files: f, Host: host, Port: port, Keyspace: keyspace, Table: tableName, Scratch: dir, Source: source,
		Penstock: c.lab.environment(filepath.Join(dir, "data")), MoreFlags: strings.Fields(c.flags),
	})
	if err != nil {
		return nil, nil, err
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	return cmd, &output, nil
}

// account fills in what a run cost and what it left in the table.
func (c *comparison) account(ctx context.Context, run *report.Run, f dataset.Files, cost measure.Cost,
	before, after books) error {
	rested, err := c.lab.rest(ctx)
	if err != nil {
		return err
	}
	rows, sum, err := c.lab.table.count(ctx)
	if err != nil {
		return err
	}
	run.Wall, run.Client, run.Peak = cost.Wall, cost.CPU, cost.Peak
	run.Server, run.Helpers = rested-before.server, after.helpers-before.helpers
	ours := cost.CPU + after.server - before.server + run.Helpers + after.self - before.self
	run.Others = max(0, after.machine-before.machine-ours)
	run.Rows, run.Right = rows, run.Error == "" && rows == f.Rows && sum == f.Sum()
	return nil
}

// tail is the end of what a tool said.
func tail(output []byte) []byte {
	const most = 4 << 10
	return bytes.TrimSpace(output[max(0, len(output)-most):])
}
