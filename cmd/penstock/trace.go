package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/verify"
)

// trace says which records the cells of a row are from.
func (a *app) trace() *cobra.Command {
	return command("trace PIPELINE KEY=VALUE…", "Say which record of which file each cell of a row is from",
		cobra.MinimumNArgs(2), func(c *cobra.Command, args []string) (err error) {
			p, err := a.plant(c, needStore|needTarget)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			compiled, err := a.compileFor(c.Context(), p, loadFlags{}, args[0], nil)
			if err != nil {
				return err
			}
			row, err := parseKey(compiled.Table(), args[1:])
			if err != nil {
				return usageError(err)
			}
			t, err := p.verifier().Trace(c.Context(), compiled, row)
			if err != nil {
				return err
			}
			return a.printTrace(t)
		})
}

// parseKey reads KEY=VALUE arguments: values in the text forms that pipelines read, a timestamp in ISO 8601.
func parseKey(t cql.Table, args []string) (cql.Row, error) {
	given := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		i := t.Index(name)
		switch _, twice := given[name]; {
		case !ok:
			return cql.Row{}, fmt.Errorf("%q: expected KEY=VALUE", arg)
		case i < 0 || t.Columns[i].Role > cql.ClusteringKey:
			return cql.Row{}, fmt.Errorf("%q is no column of the primary key of %s: expected %s",
				name, t.FullName(), keyNames(t))
		case twice:
			return cql.Row{}, fmt.Errorf("%s is given twice: expected one value", name)
		}
		given[name] = value
	}
	return packKey(t, given)
}

func keyNames(t cql.Table) string {
	var names []string
	for _, c := range t.Columns {
		if c.Role <= cql.ClusteringKey {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// packKey packs all of the primary key, or the partition key alone.
func packKey(t cql.Table, given map[string]string) (row cql.Row, err error) {
	whole := len(given) > t.Count(cql.PartitionKey)
	for _, c := range t.Columns {
		if c.Role > cql.ClusteringKey || c.Role == cql.ClusteringKey && !whole {
			break
		}
		value, ok := given[c.Name]
		if !ok {
			return row, fmt.Errorf("%s is missing: expected %s", c.Name, keyNames(t))
		}
		b, p := c.Type.AppendText(nil, []byte(value))
		if p != nil {
			return row, fmt.Errorf("%s: %w", c.Name, p)
		}
		if c.Role == cql.ClusteringKey {
			b = c.Type.AppendClusteringKey(nil, b)
		}
		if row.Values = cql.AppendValue(row.Values, b); c.Role == cql.PartitionKey {
			row.Partition = len(row.Values)
		}
		row.Key = len(row.Values)
	}
	if !whole && t.Count(cql.ClusteringKey) > 0 && t.Count(cql.Static) == 0 {
		return row, fmt.Errorf("the partition key alone names no row, and %s has no static columns: expected %s",
			t.FullName(), keyNames(t))
	}
	return row, nil
}

func (a *app) printTrace(t verify.Trace) error {
	if a.output == "json" {
		return a.printJSON(t)
	}
	fmt.Fprintf(a.Out, "%s %s\n", t.Table, describeKey(t.Key))
	if len(t.Cells) == 0 {
		fmt.Fprintln(a.Out, "  no cell beside the key has a write time: there is nothing to trace")
	}
	for _, c := range t.Cells {
		fmt.Fprintf(a.Out, "  %s = %s, written %s (%d)\n", c.Column, shownText(c.Value), verify.When(c.Time), c.Time)
		if j := c.Job; j != nil {
			fmt.Fprintf(a.Out, "    job %s of pipeline %s, segment %d, chunk %d\n", j.ID, j.Pipeline, j.Segment, j.Chunk)
			fmt.Fprintf(a.Out, "    %s version %s, bytes %d to %d\n", j.Object, j.Version, j.Start, j.End)
		}
		if c.Source != nil {
			a.printSource(*c.Source)
		}
		if c.Note != "" {
			fmt.Fprintf(a.Out, "    %s\n", c.Note)
		}
	}
	return nil
}

func (a *app) printSource(s verify.Source) {
	number := ""
	if s.Record != nil {
		number = fmt.Sprintf("record %d, ", *s.Record)
	}
	fmt.Fprintf(a.Out, "    %sbyte %d, %d bytes: ", number, s.Offset, s.Length)
	if s.Raw != nil {
		fmt.Fprintf(a.Out, "%q\n", *s.Raw)
		return
	}
	fmt.Fprintf(a.Out, "%q\n", s.RawBase64)
}
