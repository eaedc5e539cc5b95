package cassandra

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// Bounds of reading by key: rows of one partition that are asked for at once, questions in flight, and tries of one.
const (
	maxAsked  = 50
	readers   = 16
	readTries = 8
)

// Reader reads rows of one table by their primary keys. It is safe for concurrent use.
type Reader struct {
	db          *DB
	table       cql.Table
	partition   int // columns of the partition key
	keys        int // columns of the primary key
	timed       []int
	selected    string // "SELECT … FROM … WHERE" and the partition key
	consistency gocql.Consistency
}

// Reader makes a reader of t's columns; o is what the rows were written with: what a quorum of the local data centre
// acknowledged is read from one, all else from a quorum of all. Errors: those of Writer.
func (db *DB) Reader(ctx context.Context, t cql.Table, o cql.WriteOptions) (*Reader, error) {
	w, err := db.Writer(ctx, t, o)
	if err != nil {
		return nil, err
	}
	version, err := db.release(ctx)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		db: db, table: t, partition: t.Count(cql.PartitionKey), consistency: gocql.Quorum,
		keys: t.Count(cql.PartitionKey) + t.Count(cql.ClusteringKey),
	}
	if w.consistency == gocql.LocalQuorum || w.consistency == gocql.LocalOne {
		r.consistency = gocql.LocalQuorum
	}
	r.selected, r.timed = selectCells(t, version >= 5)
	r.selected += " WHERE " + strings.Join(equal(names(t, cql.PartitionKey)), " AND ")
	return r, nil
}

func equal(names []string) []string {
	for i, n := range names {
		names[i] = cql.Ident(n) + " = ?"
	}
	return names
}

// Read gives what the table holds of each row, by its key: values and times in the order of the columns, no values
// where it holds nothing. Where it holds static cells of a row's partition but not the row, the clustering key is null;
// a row without clustering values asks for these alone. The time of a deletion is not known and is 0. Errors:
// unavailable, denied, config (the table was changed), interrupted.
func (r *Reader) Read(ctx context.Context, rows []cql.Row) ([]cql.CellRow, error) {
	out := make([]cql.CellRow, len(rows))
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var asking sync.WaitGroup
	work := make(chan []int)
	for range min(readers, len(rows)) {
		asking.Go(func() {
			for group := range work {
				if err := r.readGroup(inner, rows, group, out); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, group := range groups(rows) {
		work <- group
	}
	close(work)
	asking.Wait()
	if inner.Err() != nil {
		return nil, explain(ctx, "read from "+r.table.FullName(), context.Cause(inner))
	}
	return out, nil
}

// groups are the places of rows of one partition, so many that one question asks for them.
func groups(rows []cql.Row) [][]int {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(rows[a].PartitionBytes(), rows[b].PartitionBytes()), a-b)
	})
	var all [][]int
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && end-start < maxAsked &&
			bytes.Equal(rows[order[start]].PartitionBytes(), rows[order[end]].PartitionBytes()) {
			end++
		}
		all = append(all, order[start:end])
		start = end
	}
	return all
}

// readGroup reads rows of one partition. One that is not found among others is asked for alone, since two values of a
// key that Cassandra takes for one may differ in bytes; one that is not there then may have static cells.
func (r *Reader) readGroup(ctx context.Context, rows []cql.Row, group []int, out []cql.CellRow) error {
	if ctx.Err() != nil {
		return nil
	}
	if r.keys > r.partition && len(group) > 1 {
		if err := r.readMany(ctx, rows, group, out); err != nil {
			return err
		}
	}
	for _, i := range group {
		if out[i].Values != nil {
			continue
		}
		if err := r.readOne(ctx, rows[i], &out[i]); err != nil {
			return err
		}
	}
	return nil
}

// readMany asks for rows by a list of their clustering keys, each a tuple: the packed values as they are.
func (r *Reader) readMany(ctx context.Context, rows []cql.Row, group []int, out []cql.CellRow) error {
	list := make([]byte, 4)
	at := map[string][]int{}
	for _, i := range group {
		row := rows[i]
		if row.Key == row.Partition {
			continue // asks for the partition
		}
		if at[string(row.KeyBytes())] == nil {
			list = cql.AppendValue(list, row.Values[row.Partition:row.Key])
		}
		at[string(row.KeyBytes())] = append(at[string(row.KeyBytes())], i)
	}
	if len(at) == 0 {
		return nil
	}
	binary.BigEndian.PutUint32(list, uint32(len(at)))
	query := r.selected + " AND (" + strings.Join(quoted(names(r.table, cql.ClusteringKey)), ", ") + ") IN ?"
	args := append(packedValues(rows[group[0]].PartitionBytes()), list)
	return r.ask(ctx, query, args, func(row cql.CellRow) {
		for _, i := range at[string(packKey(row.Values[:r.keys]))] {
			out[i] = row
		}
	})
}

func quoted(names []string) []string {
	for i, n := range names {
		names[i] = cql.Ident(n)
	}
	return names
}

func packKey(values []cql.Value) []byte {
	var packed []byte
	for _, v := range values {
		packed = cql.AppendValue(packed, v.Bytes)
	}
	return packed
}

// readOne asks for one row, and where it is not there for its partition's static cells.
func (r *Reader) readOne(ctx context.Context, row cql.Row, out *cql.CellRow) error {
	take := func(found cql.CellRow) { *out = found }
	if row.Key > row.Partition || r.keys == r.partition {
		query := r.selected
		for _, condition := range equal(names(r.table, cql.ClusteringKey)) {
			query += " AND " + condition
		}
		if err := r.ask(ctx, query, packedValues(row.KeyBytes()), take); err != nil || out.Values != nil {
			return err
		}
	}
	if r.table.Count(cql.Static) == 0 {
		return nil
	}
	err := r.ask(ctx, r.selected+" LIMIT 1", packedValues(row.PartitionBytes()), take)
	if err == nil {
		r.keepStatics(out)
	}
	return err
}

// keepStatics drops what is of a row that was not asked for, and all where the partition has no static cell.
func (r *Reader) keepStatics(out *cql.CellRow) {
	static := false
	for i := range out.Values {
		switch r.table.Columns[i].Role {
		case cql.ClusteringKey, cql.Regular:
			out.Values[i], out.Times[i] = cql.Value{}, 0
		case cql.Static:
			static = static || out.Values[i].Bytes != nil
		}
	}
	if !static {
		*out = cql.CellRow{}
	}
}

func packedValues(packed []byte) [][]byte {
	var values [][]byte
	for len(packed) > 0 {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		values = append(values, v.Bytes)
	}
	return values
}

// ask hands the rows of an answer to take, from the start again where a try broke off.
func (r *Reader) ask(ctx context.Context, query string, args [][]byte, take func(cql.CellRow)) error {
	bound := make([]any, len(args))
	for i := range args {
		value := cell(args[i])
		bound[i] = &value
	}
	for n := 0; ; n++ {
		err := r.db.with(ctx, "read from "+r.table.FullName(), func(s *gocql.Session) error {
			q := s.Query(query, bound...).WithContext(ctx).Consistency(r.consistency).Idempotent(true).PageSize(cellsPage)
			return r.scan(q, take)
		})
		if contracts.KindOf(err) != contracts.KindUnavailable || n+1 >= readTries {
			return err
		}
		if err := wait(ctx, jitter(backoff(n))); err != nil {
			return err
		}
	}
}

func (r *Reader) scan(q *gocql.Query, take func(cql.CellRow)) error {
	values := make([]copied, len(r.table.Columns)+len(r.timed))
	dest := make([]any, len(values))
	for i := range values {
		dest[i] = &values[i]
	}
	rows := q.Iter()
	for rows.Scan(dest...) {
		take(cellRow(values, len(r.table.Columns), r.timed))
	}
	return rows.Close()
}
