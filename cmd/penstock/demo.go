package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/examples"
)

// demo loads the examples into a folder of its own, everything embedded.
func (a *app) demo() *cobra.Command {
	var keep bool
	c := command("demo", "Load the example pipelines with everything embedded, and print their reports", cobra.NoArgs,
		func(c *cobra.Command, _ []string) (err error) {
			dir, err := os.MkdirTemp("", "penstock-demo-")
			if err != nil {
				return err
			}
			if !keep {
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			}
			if err := os.CopyFS(filepath.Join(dir, "examples"), examples.Files); err != nil {
				return err
			}
			reports, err := a.runDemo(c, dir)
			if err != nil {
				return err
			}
			return a.printDemo(reports, dir, keep)
		})
	c.Flags().BoolVar(&keep, "keep", false, "leave the folder with the examples and the database")
	return c
}

// demoSettings are what a demo sets, whatever the user's settings are: it must not touch real servers.
func demoSettings(v values, dir string) {
	for _, s := range settings {
		v[s.key] = value{s.def, "default"}
	}
	v["data"] = value{filepath.Join(dir, "data"), "demo"}
}

func (a *app) runDemo(c *cobra.Command, dir string) (reports []contracts.Report, err error) {
	v, err := a.values(c)
	if err != nil {
		return nil, err
	}
	level := v["log_level"]
	demoSettings(v, dir)
	v["log_level"] = level
	log, err := a.logger(v)
	if err != nil {
		return nil, err
	}
	p, err := openPlant(c.Context(), v, log, needRoles)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	workers, err := p.settings.integer("workers", 1)
	if err != nil {
		return nil, err
	}
	ctx, stop := a.startRoles(c.Context(), p, workers)
	defer func() { err = errors.Join(err, stop()) }()
	return a.loadExamples(ctx, p, filepath.Join(dir, "examples"))
}

// loadExamples submits a job for each example pipeline.
func (a *app) loadExamples(ctx context.Context, p *plant, dir string) ([]contracts.Report, error) {
	var reports []contracts.Report
	for _, e := range examples.All {
		job, err := a.newJob(ctx, p, loadFlags{}, filepath.Join(dir, e.Pipeline), []string{filepath.Join(dir, e.Source)})
		if err != nil {
			return nil, fmt.Errorf("example %s: %w", path.Dir(e.Pipeline), err)
		}
		report, err := a.submitAndFollow(ctx, p, job)
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

func (a *app) printDemo(reports []contracts.Report, dir string, kept bool) error {
	if a.output == "json" {
		return a.printJSON(reports)
	}
	for _, r := range reports {
		if err := a.printReport(r); err != nil {
			return err
		}
	}
	if !kept {
		fmt.Fprintf(a.Out, "\nThe folder is gone. `penstock demo --keep` leaves it, to be queried with any sqlite3.\n")
		return nil
	}
	fmt.Fprintf(a.Out, "\nThe rows are in %s. Ask it, for example:\n", filepath.Join(dir, "data", "penstock.db"))
	for _, e := range examples.All {
		fmt.Fprintf(a.Out, "  sqlite3 %s %q\n", filepath.Join(dir, "data", "penstock.db"), e.Query)
	}
	fmt.Fprintf(a.Out, "The pipelines and their files are in %s.\n", filepath.Join(dir, "examples"))
	return nil
}
