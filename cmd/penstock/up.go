package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/internal/queue"
)

// up runs all roles in one process.
func (a *app) up() *cobra.Command {
	return command("up", "Run all roles in one process, with whatever is not configured embedded", cobra.NoArgs,
		func(c *cobra.Command, _ []string) (err error) {
			p, err := a.rolePlant(c, queue.Dispatcher, func(values) error { return nil })
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			if p.embedded != nil {
				withdraw, err := announceUp(p)
				if err != nil {
					return err
				}
				defer withdraw() //nolint:errcheck // a file that is left behind is known as such by its lock
			}
			n, err := p.settings.integer("workers", 0)
			if err != nil {
				return usageError(err)
			}
			a.sayUp(p, n)
			return p.watched(c.Context(), "up", func(ctx context.Context) error { return p.runRoles(ctx, n) })
		})
}

func (a *app) sayUp(p *plant, workers int) {
	target, _ := targetText(p.settings) // it was opened
	store := redacted(p.settings.str("s3_url"))
	if p.embedded != nil && p.embedded.s3 != nil {
		store = fmt.Sprintf("%s (keys in %s)", p.embedded.s3.URL(), filepath.Join(p.settings.str("data"), keysFile))
	}
	fmt.Fprintf(a.Err, "penstock is up: target %s, NATS %s, S3 %s, %d workers; ctrl-C ends it\n",
		target, redacted(p.queueConfig().URL), store, workers)
}

// dispatcher runs the dispatcher's role.
func (a *app) dispatcher() *cobra.Command {
	return a.role(queue.Dispatcher, "Turn jobs into chunks and see them to their end",
		func(ctx context.Context, p *plant) error { return p.runDispatcher(ctx) })
}

// worker runs the worker's role.
func (a *app) worker() *cobra.Command {
	return a.role(queue.Worker, "Load chunks", func(ctx context.Context, p *plant) error {
		n, err := p.settings.integer("workers", 1)
		if err != nil {
			return usageError(err)
		}
		return p.runWorkers(ctx, n)
	})
}

func (a *app) role(role queue.Role, short string, run func(context.Context, *plant) error) *cobra.Command {
	return command(string(role), short, cobra.NoArgs, func(c *cobra.Command, _ []string) (err error) {
		p, err := a.rolePlant(c, role, attachRole)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		p.log.Info("ready", "role", role, "owner", p.owner)
		return p.watched(c.Context(), string(role), func(ctx context.Context) error { return run(ctx, p) })
	})
}

// rolePlant opens a plant for a process that stays and answers probes, if it is to, from the beginning. A server that
// is away is waited for: who starts first does not matter.
func (a *app) rolePlant(c *cobra.Command, role queue.Role, join func(values) error) (*plant, error) {
	a.stays = true
	v, err := a.values(c)
	if err != nil {
		return nil, err
	}
	if err := join(v); err != nil {
		return nil, err
	}
	log, err := a.logger(v)
	if err != nil {
		return nil, err
	}
	watch, err := newWatch(c.Context(), v, log)
	if err != nil {
		return nil, err
	}
	p, err := retryOpen(c.Context(), log, func() (*plant, error) { return newPlant(c.Context(), v, log) })
	if err != nil {
		return nil, errors.Join(err, watch.close())
	}
	if err := p.openPatiently(c.Context(), role, watch); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}
