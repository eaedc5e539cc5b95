package verify

import (
	"context"
	"errors"
	"slices"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/workers"
)

// Cassandra shows no time of a deletion, so a null where a value belongs may be lost, or deleted by a later record.
// Such cells are doubted until the segments that may have deleted them were read: those of the same job that come
// later, and those of later jobs.

// maxDoubts bounds the cells that are doubted at once.
const maxDoubts = 10_000

// doubts are those about a cell, by its column and key: one for each segment that set it.
type doubts map[string][]doubt

type doubt struct {
	at    int64
	chunk int
	diff  Difference
}

func cellKey(column cql.Column, row cql.Row) string {
	key := row.KeyBytes()
	if column.Role == cql.Static {
		key = row.PartitionBytes()
	}
	return column.Name + "\x00" + string(key)
}

// doubtful says that a later record may explain what is missing. No record deletes a whole row.
func (c *comparison) doubtful(f finding) bool {
	return f.verdict == Missing && f.column >= 0 && f.found.Bytes == nil &&
		(f.there || c.table.Columns[f.column].Role == cql.Static)
}

func (c *comparison) doubt(s *slice, f finding) {
	row := s.rows[f.row]
	key := cellKey(c.table.Columns[f.column], row)
	c.doubts[key] = append(c.doubts[key], doubt{row.Timestamp, c.at, s.difference(f)})
	c.doubted++
}

// settleDoubts looks for what deleted the cells in doubt; what nothing did is missing.
func (c *comparison) settleDoubts(ctx context.Context) error {
	if len(c.doubts) == 0 {
		return nil
	}
	first := c.at
	for _, all := range c.doubts {
		first = min(first, all[0].chunk)
	}
	if err := c.shadow(ctx, c.opened, first); err != nil {
		return err
	}
	ids, err := c.recentJobs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if len(c.doubts) == 0 {
			break
		}
		if err := c.shadowLater(ctx, id); err != nil {
			return err
		}
	}
	c.confirm()
	return nil
}

// shadowLater goes through a job that wrote to the table later.
func (c *comparison) shadowLater(ctx context.Context, id contracts.JobID) error {
	plan, err := c.Store.Plan(ctx, id)
	if err != nil || plan.Base <= c.plan.Base {
		return missingIsFine(err)
	}
	later, err := c.open(ctx, id)
	if err != nil || later.pipeline.Table().FullName() != c.table.FullName() {
		return err
	}
	return c.shadow(ctx, later, 0)
}

func missingIsFine(err error) error {
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	}
	return err
}

var errSettled = errors.New("no doubt is left")

// shadow goes through the chunks of a job from the first one on, for what they delete. Sources that cannot be read any
// more explain nothing.
func (c *comparison) shadow(ctx context.Context, o opened, first int) error {
	if !mayDelete(o.pipeline) || traceable(o.pipeline) != nil {
		return nil
	}
	chunks, replays := c.Parts.chunks(o), c.newReplay()
	columns := o.pipeline.Table().Columns
	for n := first; n < o.plan.Totals.Chunks; n++ {
		work, loaded, err := chunks.loaded(ctx, n)
		if err != nil {
			return err
		}
		if len(work.Parts) == 0 {
			continue
		}
		_, err = c.replay(ctx, replays, work, loaded, func(_ context.Context, m workers.Merged) error {
			for _, row := range m.Rows {
				c.explain(columns, row)
			}
			if len(c.doubts) == 0 {
				return errSettled
			}
			return nil
		})
		if errors.Is(err, errSettled) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func mayDelete(c *pipeline.Compiled) bool {
	return c.Spec().Nulls == pipeline.NullsDelete ||
		slices.ContainsFunc(c.Table().Columns, func(col cql.Column) bool { return col.Type.Multi() })
}

// explain settles the doubts about cells that a row deletes.
func (c *comparison) explain(columns []cql.Column, row cql.Row) {
	packed := row.Values
	for _, column := range columns {
		var v cql.Value
		if v, packed = cql.NextValue(packed); !v.Null() {
			continue
		}
		key := cellKey(column, row)
		open := slices.DeleteFunc(c.doubts[key], func(d doubt) bool {
			if d.at < row.Timestamp {
				c.out.Cells.add(Superseded, 1)
			}
			return d.at < row.Timestamp
		})
		if c.doubts[key] = open; len(open) == 0 {
			delete(c.doubts, key)
		}
	}
}

// confirm counts what is still in doubt as missing.
func (c *comparison) confirm() {
	var all []Difference
	for _, cell := range c.doubts {
		for _, d := range cell {
			all = append(all, d.diff)
		}
	}
	clear(c.doubts)
	c.doubted = 0
	slices.SortFunc(all, compareDifferences)
	c.out.Cells.add(Missing, int64(len(all)))
	c.out.Differences = append(c.out.Differences, all[:min(len(all), MaxShown-len(c.out.Differences))]...)
}
