package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
)

// checkup is what doctor says of one part.
type checkup struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// doctor asks each server for a sign of life, and for what Penstock needs of it.
func (a *app) doctor() *cobra.Command {
	return command("doctor", "Check NATS, S3 and the table", cobra.NoArgs, func(c *cobra.Command, _ []string) (err error) {
		v, err := a.values(c)
		if err != nil {
			return err
		}
		if err := attach(v); err != nil {
			return err
		}
		log, err := a.logger(v)
		if err != nil {
			return err
		}
		p, err := openPlant(c.Context(), v, log, 0)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		return a.printCheckups(p.examine(c.Context()))
	})
}

// examine checks the parts, each on its own.
func (p *plant) examine(ctx context.Context) []checkup {
	target, _ := targetText(p.settings)
	return []checkup{
		examined("s3", p.settings.str("s3_url"), s3Hints, p.examineStore(ctx)),
		examined("nats", p.settings.str("nats_url"), natsHints, p.openQueue(ctx)),
		examined("table", target, tableHints, p.examineTarget(ctx)),
	}
}

func (p *plant) examineStore(ctx context.Context) error {
	if err := p.openStore(ctx); err != nil {
		return err
	}
	return p.docs.Probe(ctx)
}

func (p *plant) examineTarget(ctx context.Context) error {
	if err := p.openTarget(ctx); err != nil {
		return err
	}
	return p.target.Ping(ctx)
}

func examined(part, address string, hints map[contracts.Kind]string, err error) checkup {
	if address == "" {
		address = "embedded"
	}
	if err == nil {
		return checkup{Part: part, OK: true, Detail: address}
	}
	return checkup{Part: part, Detail: address + ": " + err.Error(), Hint: hints[contracts.KindOf(err)]}
}

// The hints say what to look at first, by the kind of failure.
var (
	s3Hints = map[contracts.Kind]string{
		contracts.KindUnavailable: "is the server up, and PENSTOCK_S3_URL its address as seen from here?",
		contracts.KindDenied:      "check PENSTOCK_S3_ACCESS_KEY and PENSTOCK_S3_SECRET_KEY, and what they may do",
		contracts.KindConfig:      "Penstock needs a store that honours If-Match and If-None-Match on PUT",
		contracts.KindMissing:     "create the buckets PENSTOCK_STATE_BUCKET and PENSTOCK_REJECTS_BUCKET",
	}
	natsHints = map[contracts.Kind]string{
		contracts.KindUnavailable: "is nats-server up, and PENSTOCK_NATS_URL its address as seen from here?",
		contracts.KindDenied:      "check PENSTOCK_NATS_USER and PENSTOCK_NATS_PASSWORD, or the creds or nkey file",
		contracts.KindConfig:      "start nats-server with JetStream: nats-server -js",
	}
	tableHints = map[contracts.Kind]string{
		contracts.KindUnavailable: "is Cassandra up, its native port open from here, and PENSTOCK_LOCAL_DC right?",
		contracts.KindDenied:      "check PENSTOCK_CASSANDRA_USERNAME and PENSTOCK_CASSANDRA_PASSWORD",
		contracts.KindConfig:      "check PENSTOCK_TARGET: cassandra://host[:port]/keyspace or sqlite:PATH",
	}
)

func (a *app) printCheckups(all []checkup) error {
	sick := false
	for _, c := range all {
		sick = sick || !c.OK
		if a.output == "json" {
			continue
		}
		word := "ok  "
		if !c.OK {
			word = "FAIL"
		}
		fmt.Fprintf(a.Out, "%s  %-6s %s\n", word, c.Part, c.Detail)
		if c.Hint != "" {
			fmt.Fprintf(a.Out, "      hint: %s\n", c.Hint)
		}
	}
	if a.output == "json" {
		if err := a.printJSON(all); err != nil {
			return err
		}
	}
	if sick {
		return exitError{code: exitFailed}
	}
	return nil
}
