package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gocql/gocql"
)

// row is a row in the types that gocql marshals fastest.
type row struct {
	device      string
	ts          int64 // milliseconds
	seq         int
	status      string
	temperature float64
	pressure    float32
	total       int64
	valid       bool
	note        string
	trace       gocql.UUID
	size        int // of its line
}

func (r *row) values() []any {
	return []any{r.device, r.ts, r.seq, r.status, r.temperature, r.pressure, r.total, r.valid, r.note, r.trace}
}

func compareKeys(a, b row) int {
	return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.ts, b.ts), cmp.Compare(a.seq, b.seq))
}

// readAll sends the rows of the files in blocks of so many bytes.
func readAll(ctx context.Context, paths []string, size int64, blocks chan<- []row) error {
	var block []row
	var held int64
	send := func() error {
		select {
		case blocks <- block:
			block, held = make([]row, 0, len(block)), 0
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, path := range paths {
		err := readFile(path, func(r row) error {
			block, held = append(block, r), held+int64(r.size)
			if held < size {
				return nil
			}
			return send()
		})
		if err != nil {
			return err
		}
	}
	return send()
}

func readFile(path string, each func(row) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, 1<<20))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil { // the header
		return fmt.Errorf("%s: %w", path, err)
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		parsed, err := parse(fields)
		if err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s, line %d: %w", path, line, err)
		}
		if err := each(parsed); err != nil {
			return err
		}
	}
}

// parse takes a record's fields in the order of the columns.
func parse(fields []string) (row, error) {
	r := row{device: fields[0], status: fields[3], note: fields[8]} // parts of one string, which csv made for the record
	var errs [7]error
	var ts time.Time
	ts, errs[0] = time.Parse(time.RFC3339, fields[1])
	r.ts = ts.UnixMilli()
	r.seq, errs[1] = strconv.Atoi(fields[2])
	r.temperature, errs[2] = strconv.ParseFloat(fields[4], 64)
	pressure, err := strconv.ParseFloat(fields[5], 32)
	r.pressure, errs[3] = float32(pressure), err
	r.total, errs[4] = strconv.ParseInt(fields[6], 10, 64)
	r.valid, errs[5] = strconv.ParseBool(fields[7])
	r.trace, errs[6] = gocql.ParseUUID(fields[9])
	for _, field := range fields {
		r.size += len(field) + 1
	}
	return r, errors.Join(errs[:]...)
}

// cut sorts the rows by key and cuts them into batches: at a batch's last row, its last partition, or its last byte.
func cut(rows []row, s settings, send func([]row)) {
	slices.SortFunc(rows, compareKeys)
	from, partitions, size := 0, 0, 0
	for i := range rows {
		opens := i == from || rows[i].device != rows[i-1].device
		several := opens || partitions > 1
		full := i-from == s.rows || opens && partitions == s.partitions || several && size+rows[i].size > s.bytes
		if full && i > from {
			send(rows[from:i])
			from, partitions, size, opens = i, 0, 0, true
		}
		if size += rows[i].size; opens {
			partitions++
		}
	}
	if from < len(rows) {
		send(rows[from:])
	}
}
