package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
)

// applyCommand makes specs current.
func (a *app) applyCommand() *cobra.Command {
	return command("apply FILE…", "Check pipelines and make them the current revisions", cobra.MinimumNArgs(1),
		func(c *cobra.Command, files []string) (err error) {
			p, err := a.plant(c, needStore|needTarget)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			type applied struct {
				Pipeline string `json:"pipeline"`
				Revision string `json:"revision"`
			}
			all := []applied{}
			for _, file := range files {
				source, err := a.readFile(file)
				if err != nil {
					return usageError(err)
				}
				compiled, err := p.pipelines.compile(c.Context(), file, source)
				if err == nil {
					err = p.apply(c.Context(), compiled)
				}
				if err != nil {
					return err
				}
				s := compiled.Spec()
				all = append(all, applied{s.Name, s.Revision()})
			}
			if a.output == "json" {
				return a.printJSON(all)
			}
			for _, one := range all {
				fmt.Fprintf(a.Out, "%s %s\n", one.Pipeline, one.Revision)
			}
			return nil
		})
}

// lint says what is wrong with specs, without a connection.
func (a *app) lint() *cobra.Command {
	return command("lint FILE…", "Say what is wrong with pipelines, and where", cobra.MinimumNArgs(1),
		func(_ *cobra.Command, files []string) error {
			all := []pipeline.Finding{}
			for _, file := range files {
				source, err := a.readFile(file)
				if err != nil {
					return usageError(err)
				}
				_, findings := pipeline.Lint(file, source, nil)
				all = append(all, findings...)
			}
			if err := a.printFindings(all); err != nil {
				return err
			}
			if len(all) > 0 {
				return exitError{code: exitFailed}
			}
			return nil
		})
}

// readFile reads a file, or stdin where it is called -.
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.In)
	}
	return os.ReadFile(name)
}

func (a *app) printFindings(all []pipeline.Finding) error {
	if a.output == "json" {
		return a.printJSON(all)
	}
	for _, f := range all {
		fmt.Fprintln(a.Out, f)
	}
	return nil
}

// schema prints the JSON Schema of the spec.
func (a *app) schema() *cobra.Command {
	return command("schema", "Print the JSON Schema of the pipeline spec, for editors", cobra.NoArgs,
		func(*cobra.Command, []string) error {
			_, err := a.Out.Write(pipeline.Schema())
			return err
		})
}

// configCommand prints each setting and where it came from.
func (a *app) configCommand() *cobra.Command {
	return command("config", "Print each setting, its value and where it came from", cobra.NoArgs,
		func(c *cobra.Command, _ []string) error {
			v, err := a.values(c)
			if err != nil {
				return err
			}
			if err := attach(v); err != nil {
				return err
			}
			return a.printSettings(v)
		})
}

type shownSetting struct {
	Key    string `json:"key"`
	Env    string `json:"env"`
	Flag   string `json:"flag,omitempty"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

func (a *app) printSettings(v values) error {
	shown := []shownSetting{}
	for _, s := range settings {
		shown = append(shown, shownSetting{s.key, s.env(), s.flag, v.shown(s), v[s.key].source})
	}
	if a.output == "json" {
		return a.printJSON(shown)
	}
	for _, s := range shown {
		fmt.Fprintf(a.Out, "%-22s %-40s %s\n", s.Key, s.Value, s.Source)
	}
	return nil
}

// versionText is the build's version; the Makefile sets it with -ldflags.
var versionText = "dev"

func (a *app) version() *cobra.Command {
	return command("version", "Print the version", cobra.NoArgs, func(*cobra.Command, []string) error {
		if a.output == "json" {
			return a.printJSON(map[string]any{"version": versionText, "contracts": contracts.Version})
		}
		fmt.Fprintf(a.Out, "penstock %s (messages v%d)\n", versionText, contracts.Version)
		return nil
	})
}
