package e2e

import (
	"database/sql"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads the results with no code of ours
)

const readingsPipeline = `
name: readings
source: {format: csv}
table: {keyspace: %s, name: readings, partition_key: [device], clustering_key: [seq], create: true}
columns:
  - {name: device, type: text}
  - {name: seq, type: int}
  - {name: ts, type: timestamp}
  - {name: level, type: double}
  - {name: ok, type: boolean}
  - {name: note, type: text}
  - {name: count, type: bigint}
  - {name: day, type: date}
  - {name: tag, type: ascii}
  - {name: twice, type: bigint, expr: "int(count) * 2"}
`

// reading is a row as the test expects it, in text.
type reading [10]string

var readingHeader = []string{"device", "seq", "ts", "level", "ok", "note", "count", "day", "tag"}

// writeReadings writes so many bytes of seeded CSV, of 40 rows for each device: keys repeat near and far, fields are
// empty, quoted, and hold delimiters, quotes and line breaks.
func writeReadings(t *testing.T, path string, size int64, devices int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := csv.NewWriter(f)
	rnd := rand.New(rand.NewPCG(2026, 11))
	notes := []string{
		"", "plain", "a, b", `say "hi"`, "two\nlines", "three\n\nlines,\"q\"", "ünïcode ✓", strings.Repeat("long ", 20),
	}
	if err := w.Write(readingHeader); err != nil {
		t.Fatal(err)
	}
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; ; n++ {
		at := base.Add(time.Duration(rnd.IntN(1e9)) * time.Millisecond)
		record := []string{
			fmt.Sprintf("device-%05d", rnd.IntN(devices)), strconv.Itoa(rnd.IntN(40)),
			at.Format("2006-01-02T15:04:05.000Z"), strconv.FormatFloat(rnd.NormFloat64(), 'g', -1, 64),
			strconv.FormatBool(rnd.IntN(2) == 0), notes[rnd.IntN(len(notes))], strconv.FormatInt(rnd.Int64N(1<<40), 10),
			at.Format(time.DateOnly), fmt.Sprintf("t%d", rnd.IntN(10)),
		}
		if rnd.IntN(10) == 0 {
			record[3+rnd.IntN(3)] = "" // null: an older value stays
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 {
			w.Flush()
			if at, err := f.Seek(0, io.SeekCurrent); err != nil || at >= size {
				break
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
}

// expectReadings reads the file one record at a time: the last value that is set wins, column by column.
func expectReadings(t *testing.T, path string) (map[string]*reading, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	rows := map[string]*reading{}
	for n := int64(0); ; n++ {
		record, err := r.Read()
		if err == io.EOF {
			return rows, n
		}
		if err != nil {
			t.Fatal(err)
		}
		key := record[0] + "/" + record[1]
		row := rows[key]
		if row == nil {
			row = &reading{}
			rows[key] = row
		}
		for i, v := range record {
			if v != "" {
				row[i] = strings.Clone(v)
			}
		}
		count, err := strconv.ParseInt(record[6], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		row[9] = strconv.FormatInt(2*count, 10)
	}
}

// compareReadings wants the table to hold just these rows.
func compareReadings(t *testing.T, l *lab, want map[string]*reading) {
	t.Helper()
	rows := 0
	l.eachReading(func(got reading) {
		rows++
		expected := want[got[0]+"/"+got[1]]
		if expected == nil || *expected != got {
			t.Fatalf("row %s/%s:\n got %q\nwant %q", got[0], got[1], got, expected)
		}
	})
	if rows != len(want) {
		t.Errorf("%d rows in the table, expected %d", rows, len(want))
	}
}

// eachReading reads the table through the database's driver alone.
func (l *lab) eachReading(fn func(reading)) {
	l.t.Helper()
	if l.db != "" {
		l.eachStored(fn)
		return
	}
	iter := l.cql.Query("SELECT device, seq, ts, level, ok, note, count, day, tag, twice FROM " +
		l.keyspace + ".readings").PageSize(5000).Iter()
	var (
		device    string
		seq       int
		ts, day   *time.Time
		level     *float64
		ok        *bool
		note, tag *string
		count     *int64
		twice     *int64
	)
	for iter.Scan(&device, &seq, &ts, &level, &ok, &note, &count, &day, &tag, &twice) {
		fn(reading{
			device, strconv.Itoa(seq),
			show(ts, func(v time.Time) string { return v.UTC().Format("2006-01-02T15:04:05.000Z") }),
			show(level, func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }),
			show(ok, strconv.FormatBool), show(note, strings.Clone), show(count, formatInt),
			show(day, func(v time.Time) string { return v.UTC().Format(time.DateOnly) }),
			show(tag, strings.Clone), show(twice, formatInt),
		})
	}
	l.must(iter.Close())
}

// eachStored is eachReading for SQLite. The casts keep the driver from making times of texts.
func (l *lab) eachStored(fn func(reading)) {
	l.t.Helper()
	db, err := sql.Open("sqlite", l.db)
	l.must(err)
	defer db.Close()
	rows, err := db.Query(`SELECT device, seq, CAST(ts AS TEXT), level, ok, note, count, CAST(day AS TEXT), tag, twice
		FROM readings`)
	l.must(err)
	defer rows.Close()
	for rows.Next() {
		var (
			device             string
			seq                int
			ts, day, note, tag *string
			level              *float64
			ok                 *bool
			count, twice       *int64
		)
		l.must(rows.Scan(&device, &seq, &ts, &level, &ok, &note, &count, &day, &tag, &twice))
		fn(reading{
			device, strconv.Itoa(seq), show(ts, strings.Clone),
			show(level, func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }),
			show(ok, strconv.FormatBool), show(note, strings.Clone), show(count, formatInt),
			show(day, strings.Clone), show(tag, strings.Clone), show(twice, formatInt),
		})
	}
	l.must(rows.Err())
}

func formatInt(v int64) string { return strconv.FormatInt(v, 10) }

func show[T any](v *T, text func(T) string) string {
	if v == nil {
		return ""
	}
	return text(*v)
}

// readingsFile is a file of about so many bytes, and of few keys, in the lab's folder, and what the table must hold
// after it.
func (l *lab) readingsFile(size int64) (path string, want map[string]*reading, records int64) {
	l.t.Helper()
	path = filepath.Join(l.dir, "readings.csv")
	writeReadings(l.t, path, size, 4)
	want, records = expectReadings(l.t, path)
	return path, want, records
}

// putFile stores a local file in the lab's bucket and gives its address.
func (l *lab) putFile(key, path string) string {
	l.t.Helper()
	data, err := os.ReadFile(path)
	l.must(err)
	return l.putText(key, string(data))
}

// readings writes the readings' pipeline and gives its path.
func (l *lab) readings() string {
	l.t.Helper()
	return l.file("readings.yaml", fmt.Sprintf(readingsPipeline, l.keyspace))
}

// query asks the SQLite file; each row is its columns as text, joined by |.
func (l *lab) query(question string) []string {
	l.t.Helper()
	db, err := sql.Open("sqlite", l.db)
	l.must(err)
	defer db.Close()
	rows, err := db.Query(question)
	l.must(err)
	defer rows.Close()
	columns, err := rows.Columns()
	l.must(err)
	found := []string{}
	for rows.Next() {
		values, shown := make([]any, len(columns)), make([]string, len(columns))
		for i := range values {
			values[i] = new(sql.NullString)
		}
		l.must(rows.Scan(values...))
		for i, v := range values {
			shown[i] = v.(*sql.NullString).String
		}
		found = append(found, strings.Join(shown, "|"))
	}
	l.must(rows.Err())
	return found
}
