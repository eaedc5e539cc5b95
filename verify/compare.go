package verify

import (
	"bytes"
	"cmp"
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
	err = c.settleDoubts(ctx)
	slices.SortFunc(c.out.Differences, compareDifferences)
	return c.out, err
}

func compareDifferences(a, b Difference) int {
	return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Column, b.Column))
}

func (p Parts) compare(ctx context.Context, id contracts.JobID, o Options) (*comparison, error) {
	job, err := p.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := traceable(job.pipeline); err != nil {
		return nil, err
	}
	if _, err := p.Store.Report(ctx, id); contracts.KindOf(err) == contracts.KindMissing {
		return nil, contracts.Errorf(contracts.KindConfig, "job %s is not over: expected one that has ended", id)
	} else if err != nil {
		return nil, err
	}
	c := &comparison{
		Parts: p, opened: job, table: job.pipeline.Table(), replays: p.newReplay(),
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
	for i, part := range again.Parts {
		if part.Error == nil && part.Counts != loaded.Parts[i].Counts {
			part.Error = contracts.Info(contracts.At(contracts.KindInternal, work.Parts[i].Object.Address(), -1,
				"read again, its records come to %+v, and when it was loaded to %+v: was it loaded by another version?",
				part.Counts, loaded.Parts[i].Counts))
		}
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

// take compares merged rows with the table: those of a partition together, since one question then reads many, and of
// one key in the order of segments.
func (c *comparison) take(ctx context.Context, m workers.Merged) error {
	order := make([]int, len(m.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(m.Rows[a].PartitionBytes(), m.Rows[b].PartitionBytes()), a-b)
	})
	for some := range slices.Chunk(order, rowsAtOnce) {
		s := slice{c: c, m: m, at: some, rows: make([]cql.Row, len(some))}
		for i, at := range some {
			s.rows[i] = m.Rows[at]
		}
		err := s.judge(ctx)
		if err == nil && c.writer != nil {
			err = s.mend(ctx)
		}
		if err == nil {
			err = c.enter(ctx, &s)
		}
		if err != nil {
			return err
		}
	}
	c.out.Rows += int64(len(m.Rows))
	return nil
}

// slice is some of the merged rows, and how they were found last.
type slice struct {
	c      *comparison
	m      workers.Merged
	at     []int // of the merged rows
	rows   []cql.Row
	cells  Cells // right and superseded
	mended int64
	wrong  []finding
	tried  map[cell]bool // what a repair has written; false where the database refused it
}

// cell is a row's cell; column -1 is the row itself.
type cell struct{ row, column int }

// finding is what was found of a cell.
type finding struct {
	cell
	verdict Verdict
	want    cql.Value
	found   cql.Value
	foundAt int64
	there   bool // the row is
}

// judge reads the rows and compares every cell that they set.
func (s *slice) judge(ctx context.Context) error {
	found, err := s.c.reader.Read(ctx, s.rows)
	if err != nil {
		return err
	}
	s.cells, s.mended, s.wrong = Cells{}, 0, s.wrong[:0]
	for i := range s.rows {
		s.row(i, found[i])
	}
	return nil
}

// row judges the cells that a row sets. A row without a value in a regular column is there by its key alone, which then
// counts as a cell.
func (s *slice) row(i int, found cql.CellRow) {
	there, bare := isThere(s.c.table, found), true
	packed := s.rows[i].Values
	for n, column := range s.c.table.Columns {
		var want cql.Value
		want, packed = cql.NextValue(packed)
		if column.Role <= cql.ClusteringKey || want.Unset {
			continue
		}
		bare = bare && (want.Bytes == nil || column.Role == cql.Static)
		f := finding{cell: cell{i, n}, want: want, there: there}
		if found.Values != nil {
			f.found, f.foundAt = found.Values[n], found.Times[n]
		}
		f.verdict = judge(column, want, s.rows[i].Timestamp, f.found, f.foundAt)
		s.count(f)
	}
	if bare {
		f := finding{cell: cell{i, -1}, verdict: Right, there: there}
		if !there {
			f.verdict = Missing
		}
		s.count(f)
	}
}

// count takes a finding in. What ran out is where it should be; and where a value was just acknowledged and nothing is
// found, it was deleted at a later time.
func (s *slice) count(f finding) {
	mended, tried := s.tried[f.cell]
	gone := f.verdict == Missing && f.found.Bytes == nil && (f.column >= 0 || !f.there)
	switch {
	case gone && s.c.expired():
		f.verdict = Right
	case gone && mended:
		f.verdict = Superseded
	}
	if f.verdict == Missing || f.verdict == Differs {
		s.wrong = append(s.wrong, f)
		return
	}
	if tried && f.verdict == Right {
		s.mended++
	}
	s.cells.add(f.verdict, 1)
}

// expired says that the job's cells have run out, or are about to.
func (c *comparison) expired() bool {
	return !c.expires.IsZero() && c.Now().Add(expirySlack).After(c.expires)
}

// expirySlack is by how much the database's clock may be before ours.
const expirySlack = 5 * time.Second

// isThere says that the row was found, not only its partition's static cells.
func isThere(t cql.Table, found cql.CellRow) bool {
	if found.Values == nil {
		return false
	}
	return !slices.ContainsFunc(found.Values[:t.Count(cql.PartitionKey)+t.Count(cql.ClusteringKey)], cql.Value.Null)
}

// enter adds what was found to the result; what a later deletion may explain is doubted first.
func (c *comparison) enter(ctx context.Context, s *slice) error {
	c.out.Cells.add(Right, s.cells.Right)
	c.out.Cells.add(Superseded, s.cells.Superseded)
	c.out.Mended += s.mended
	for _, f := range s.wrong {
		if c.writer == nil && c.doubtful(f) {
			c.doubt(s, f)
			continue
		}
		c.out.Cells.add(f.verdict, 1)
		if len(c.out.Differences) < MaxShown {
			c.out.Differences = append(c.out.Differences, s.difference(f))
		}
	}
	if c.doubted < maxDoubts {
		return nil
	}
	return c.settleDoubts(ctx)
}

// difference puts a finding into words.
func (s *slice) difference(f finding) Difference {
	origin := s.m.Origin(s.at[f.row], f.column)
	d := Difference{
		Key:     keyText(s.c.table, s.rows[f.row].KeyBytes()),
		Verdict: f.verdict, Object: origin.Object.Address(), Offset: origin.Offset,
	}
	if f.column < 0 {
		return d
	}
	column := s.c.table.Columns[f.column]
	d.Column, d.Expected, d.Found = column.Name, text(column.Type, f.want.Bytes), text(column.Type, f.found.Bytes)
	if f.foundAt != 0 {
		d.Time = &f.foundAt
	}
	return d
}
