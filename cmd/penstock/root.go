package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
)

// stdio is what a command reads and writes.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit codes, as docs/interface.md has them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejects     = 3
	exitInterrupted = 130
)

// app is what all commands share.
type app struct {
	stdio
	env    []string
	output string // text or json
	config string // file
	stays  bool   // a role's process: it logs what it does, where one-shot commands log warnings only
}

// exitError ends the process with a code; its error has been shown already where it is nil.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usageError is a wrong flag or argument.
func usageError(err error) error { return exitError{exitUsage, err} }

// run executes a command line and gives its exit code.
func run(ctx context.Context, args []string, io stdio, env []string) int {
	a := &app{stdio: io, env: env}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var exit exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case ctx.Err() != nil:
		code = exitInterrupted
	}
	if exit.err != nil || exit.code == 0 {
		fmt.Fprintf(io.Err, "penstock: %v\n", err)
	}
	if code == exitUsage {
		fmt.Fprintf(io.Err, "`penstock --help` lists commands and flags\n")
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "penstock",
		Short:         "Load files from object storage into Apache Cassandra: each record a row or an explained reject",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError(fmt.Errorf("unknown command %q", args[0]))
			}
			return nil
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "text" && a.output != "json" {
				return usageError(fmt.Errorf("--output %q: expected text or json", a.output))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.output, "output", "text", "text or json")
	flags.StringVar(&a.config, "config", "", "configuration file (default penstock.yaml, where it exists)")
	addFlags(flags)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	root.AddCommand(a.commands()...)
	explain(root)
	return root
}

// command makes a command whose wrong arguments are usage errors.
func command(use, short string, args cobra.PositionalArgs, run func(*cobra.Command, []string) error) *cobra.Command {
	check := func(c *cobra.Command, given []string) error {
		if err := args(c, given); err != nil {
			return usageError(fmt.Errorf("%s: %w: expected `%s %s`", c.Name(), err, c.Parent().CommandPath(), use))
		}
		return nil
	}
	return &cobra.Command{Use: use, Short: short, Args: check, RunE: run}
}

// values resolves the settings for a command.
func (a *app) values(c *cobra.Command) (values, error) {
	v, err := resolve(c.Flags(), a.env, a.config)
	if err == nil {
		err = v.check()
	}
	if contracts.KindOf(err) == contracts.KindConfig {
		return v, usageError(err)
	}
	return v, err
}

// plant opens what a command needs.
func (a *app) plant(c *cobra.Command, n need) (*plant, error) {
	v, err := a.values(c)
	if err != nil {
		return nil, err
	}
	if err := attach(v); err != nil {
		return nil, err
	}
	log, err := a.logger(v)
	if err != nil {
		return nil, err
	}
	return openPlant(c.Context(), v, log, n)
}

// logger writes to stderr: warnings of one-shot commands, everything that roles do.
func (a *app) logger(v values) (*slog.Logger, error) {
	level := slog.LevelWarn
	if a.stays {
		level = slog.LevelInfo
	}
	if text := v.str("log_level"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, usageError(v.bad("log_level", "debug, info, warn or error"))
		}
	}
	opts := &slog.HandlerOptions{Level: level}
	switch v.str("log_format") {
	case "text":
		return slog.New(slog.NewTextHandler(a.Err, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, opts)), nil
	default:
		return nil, usageError(v.bad("log_format", "text or json"))
	}
}

// printJSON writes a value for programs.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// commands are all subcommands, in the order of docs/interface.md.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demo(), a.up(), a.load(), a.applyCommand(), a.submit(), a.lint(), a.plan(), a.jobs(), a.status(),
		a.report(), a.rejects(), a.dead(), a.pause(), a.resume(), a.cancel(), a.retry(), a.verify(), a.trace(),
		a.dispatcher(), a.worker(), a.doctor(), a.schema(), a.configCommand(), a.version(),
	}
}
