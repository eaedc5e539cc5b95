package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/queue"
)

// checkup is what doctor says of one part.
type checkup struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	Needs  *needs `json:"needs,omitempty"` // of a role's NATS user
}

// needs are subjects that a user must be allowed.
type needs struct {
	Publish   []string `json:"publish"`
	Subscribe []string `json:"subscribe"`
}

// doctor asks each server for a sign of life, and for what Penstock needs of it.
func (a *app) doctor() *cobra.Command {
	var role string
	var installation cluster
	c := command("doctor", "Check NATS, S3 and the table", cobra.NoArgs, func(c *cobra.Command, _ []string) (err error) {
		if err := installation.check(c); err != nil {
			return err
		}
		if installation.asked {
			all, err := installation.examine(c.Context())
			if err != nil {
				return err
			}
			return a.printCheckups(all)
		}
		if role != "" && !slices.Contains(queue.Roles(), queue.Role(role)) {
			return usageError(fmt.Errorf("--role %q: expected dispatcher, worker or submitter", role))
		}
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
		p, err := newPlant(c.Context(), v, log)
		if kind := contracts.KindOf(err); kind == contracts.KindUnavailable || kind == contracts.KindDenied {
			return a.printCheckups([]checkup{examined("nats", v.str("nats_url"), natsHints, err)}) // what is embedded needs it
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		return a.printCheckups(p.examine(c.Context(), queue.Role(role)))
	})
	c.Flags().StringVar(&role, "role", "", "look as the NATS user of dispatcher, worker or submitter, and list its needs")
	installation.addFlags(c)
	return c
}

// examine checks the parts, each on its own, as the role would; "" is all of them.
func (p *plant) examine(ctx context.Context, role queue.Role) []checkup {
	target, _ := targetText(p.settings)
	return []checkup{
		examined("s3", p.settings.str("s3_url"), s3Hints, p.examineStore(ctx)),
		p.examineQueue(ctx, role),
		examined("table", target, tableHints, p.examineTarget(ctx)),
	}
}

// examineQueue says what the role's user needs, where one is named or turns out to lack something.
func (p *plant) examineQueue(ctx context.Context, role queue.Role) checkup {
	var err error
	switch role {
	case queue.Worker:
		err = p.openWorkersQueue(ctx)
	case queue.Submitter:
		err = p.openQueue(ctx, needQueue)
	default:
		err = p.openQueue(ctx, needQueue|needStreams)
	}
	c := examined("nats", p.settings.str("nats_url"), natsHints, err)
	if queue.Forbidden(err) {
		c.Hint = fmt.Sprintf("grant the NATS user what the role %s needs, or name the role that this process has: "+
			"penstock doctor --role ROLE", cmp.Or(role, queue.Dispatcher))
	}
	if role != "" || queue.Forbidden(err) {
		g := cmp.Or(role, queue.Dispatcher).Grants(p.subjects())
		c.Needs = &needs{g.Publish, g.Subscribe}
	}
	return c
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
	if address = redacted(address); address == "" {
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
		contracts.KindMissing:     "start a dispatcher, which makes streams and consumers",
	}
	tableHints = map[contracts.Kind]string{
		contracts.KindUnavailable: "is Cassandra up, its native port open from here, and PENSTOCK_LOCAL_DC right?",
		contracts.KindDenied:      "check PENSTOCK_CASSANDRA_USERNAME and PENSTOCK_CASSANDRA_PASSWORD",
		contracts.KindConfig:      "check PENSTOCK_TARGET: cassandra://host[:port]/keyspace or sqlite:PATH",
	}
)

// print lists the subjects, one a line; nil has none.
func (n *needs) print(to io.Writer) {
	if n == nil {
		return
	}
	for _, subject := range n.Publish {
		fmt.Fprintf(to, "      needs: publish %s\n", subject)
	}
	for _, subject := range n.Subscribe {
		fmt.Fprintf(to, "      needs: subscribe %s\n", subject)
	}
}

func (a *app) printCheckups(all []checkup) error {
	sick, width := false, 6
	for _, c := range all {
		width = max(width, len(c.Part))
	}
	for _, c := range all {
		sick = sick || !c.OK
		if a.output == "json" {
			continue
		}
		word := "ok  "
		if !c.OK {
			word = "FAIL"
		}
		fmt.Fprintf(a.Out, "%s  %-*s %s\n", word, width, c.Part, c.Detail)
		if c.Hint != "" {
			fmt.Fprintf(a.Out, "      hint: %s\n", c.Hint)
		}
		c.Needs.print(a.Out)
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
