package verify

import (
	"context"
	"slices"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/workers"
)

// rowsAtOnce bounds the rows that are read from the table at once.
const rowsAtOnce = 4096

// comparison is one verification of a job.
type comparison struct {
	Parts
	opened
	table   cql.Table
	reader  Reader
	writer  workers.Writer // nil without a repair
	replays *workers.Replay
	chunks  *chunks
	expires time.Time // when the job's cells run out; zero: never
	doubts  doubts
	doubted int // since doubts were last settled
	at      int // the chunk being compared
	out     Result
}

// Verify compares what a job that has ended wrote with its table. progress is told of each chunk; it may be nil.
// Errors: missing (no such job), config (the job is not over, or its cells cannot be told by their times), and those of
// the servers.
func (p Parts) Verify(
	ctx context.Context, id contracts.JobID, o Options, progress func(done, total int),
) (Result, error) {
	c, err := p.compare(ctx, id, o)
	if err != nil {
		return Result{}, err
	}
	chosen := sample(id, c.plan.Totals.Chunks, o.Sample)
	for i, n := range chosen {
		if err := c.chunk(ctx, n); err != nil {
			return c.out, err
		}
		if progress != nil {
			progress(i+1, len(chosen))
		}
	}
	return c.out, c.settleDoubts(ctx)
}

func (p Parts) compare(ctx context.Context, id contracts.JobID, o Options) (*comparison, error) {
	job, err := p.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := p.Store.Report(ctx, id); contracts.KindOf(err) == contracts.KindMissing {
		return nil, contracts.Errorf(contracts.KindConfig, "job %s is not over: expected one that has ended", id)
	} else if err != nil {
		return nil, err
	}
	c := &comparison{
		Parts: p, opened: job, table: job.pipeline.Table(), replays: workers.NewReplay(p.Objects, p.Pipelines),
		chunks: p.chunks(job), doubts: doubts{},
		out: Result{Job: id, Differences: []Difference{}, Errors: []contracts.ErrorInfo{}},
	}
	if ttl := job.pipeline.WriteOptions().TTL; ttl > 0 {
		c.expires = job.job.Accepted.Add(time.Duration(ttl) * time.Second)
	}
	if c.reader, err = p.Tables.Reader(ctx, job.pipeline); err != nil {
		return nil, err
	}
	if o.Repair {
		c.writer, err = p.Tables.Writer(ctx, job.pipeline)
	}
	return c, err
}

// chunk compares one chunk, as far as the job has loaded it.
func (c *comparison) chunk(ctx context.Context, n int) error {
	work, loaded, err := c.chunks.loaded(ctx, n)
	if err != nil {
		return err
	}
	c.at = n
	if len(work.Parts) == 0 {
		c.out.Unloaded++
		return nil
	}
	again, err := c.replay(ctx, c.replays, work, loaded, c.take)
	if err != nil {
		return err
	}
	c.out.Chunks++
	for _, part := range again.Parts {
		if part.Error != nil {
			c.unreadable(*part.Error)
		}
	}
	return nil
}

func (c *comparison) unreadable(e contracts.ErrorInfo) {
	c.out.Sources++
	if len(c.out.Errors) < MaxShown {
		c.out.Errors = append(c.out.Errors, e)
	}
}

// take compares merged rows with the table.
func (c *comparison) take(ctx context.Context, m workers.Merged) error {
	for from := 0; from < len(m.Rows); from += rowsAtOnce {
		rows := m.Rows[from:min(len(m.Rows), from+rowsAtOnce)]
		found, err := c.reader.Read(ctx, rows)
		if err != nil {
			return err
		}
		var wrong []finding
		for i := range rows {
			wrong = c.row(wrong, m, from+i, found[i])
		}
		if wrong, err = c.mend(ctx, m, wrong); err != nil {
			return err
		}
		if err := c.enter(ctx, m, wrong); err != nil {
			return err
		}
	}
	c.out.Rows += int64(len(m.Rows))
	return nil
}

// finding is a cell that is not as it should be.
type finding struct {
	row     int // of the merged rows
	column  int // -1: the row itself
	verdict Verdict
	want    cql.Value
	found   cql.Value
	foundAt int64
	there   bool // the row is
}

// row judges the cells that a row sets. A row without a value in a regular column is there by its key alone, which then
// counts as a cell.
func (c *comparison) row(wrong []finding, m workers.Merged, i int, found cql.CellRow) []finding {
	there, bare := isThere(c.table, found), true
	packed := m.Rows[i].Values
	for column := range c.table.Columns {
		var want cql.Value
		want, packed = cql.NextValue(packed)
		if c.table.Columns[column].Role <= cql.ClusteringKey || want.Unset {
			continue
		}
		bare = bare && (want.Bytes == nil || c.table.Columns[column].Role == cql.Static)
		f := c.cell(m.Rows[i], column, want, found)
		f.row, f.there = i, there
		wrong = c.count(wrong, f)
	}
	if !bare {
		return wrong
	}
	f := finding{row: i, column: -1, verdict: Missing, there: there}
	if there || c.expired() {
		f.verdict = Right
	}
	return c.count(wrong, f)
}

func (c *comparison) cell(row cql.Row, column int, want cql.Value, found cql.CellRow) finding {
	f := finding{column: column, want: want}
	if found.Values != nil {
		f.found, f.foundAt = found.Values[column], found.Times[column]
	}
	f.verdict = judge(c.table.Columns[column], want, row.Timestamp, f.found, f.foundAt)
	if f.verdict == Missing && f.found.Bytes == nil && c.expired() {
		f.verdict = Right
	}
	return f
}

// expired says that the job's cells have run out, or are about to.
func (c *comparison) expired() bool {
	return !c.expires.IsZero() && c.Now().Add(expirySlack).After(c.expires)
}

// expirySlack is by how much the database's clock may be before ours.
const expirySlack = 5 * time.Second

func (c *comparison) count(wrong []finding, f finding) []finding {
	if f.verdict == Missing || f.verdict == Differs {
		return append(wrong, f)
	}
	c.out.Cells.add(f.verdict, 1)
	return wrong
}

// isThere says that the row was found, not only its partition's static cells.
func isThere(t cql.Table, found cql.CellRow) bool {
	if found.Values == nil {
		return false
	}
	return !slices.ContainsFunc(found.Values[:t.Count(cql.PartitionKey)+t.Count(cql.ClusteringKey)], cql.Value.Null)
}

// enter counts what is wrong for good; what a later deletion may explain is doubted first.
func (c *comparison) enter(ctx context.Context, m workers.Merged, wrong []finding) error {
	for _, f := range wrong {
		if c.writer == nil && c.doubtful(f) {
			c.doubt(m, f)
			continue
		}
		c.out.Cells.add(f.verdict, 1)
		if len(c.out.Differences) < MaxShown {
			c.out.Differences = append(c.out.Differences, c.difference(m, f))
		}
	}
	if c.doubted < maxDoubts {
		return nil
	}
	return c.settleDoubts(ctx)
}

// difference puts a finding into words.
func (c *comparison) difference(m workers.Merged, f finding) Difference {
	row := m.Rows[f.row]
	origin := m.Origin(f.row, f.column)
	d := Difference{
		Key: keyText(c.table, row.KeyBytes()), Verdict: f.verdict, Object: origin.Object.Address(), Offset: origin.Offset,
	}
	if f.column < 0 {
		return d
	}
	column := c.table.Columns[f.column]
	d.Column, d.Expected, d.Found = column.Name, text(column.Type, f.want.Bytes), text(column.Type, f.found.Bytes)
	if f.foundAt != 0 {
		d.Time = &f.foundAt
	}
	return d
}
