package reference

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	stdcsv "encoding/csv"

	"github.com/penstock-io/penstock/contracts"
)

// expected is what the reference says of a sample: each record with the fields that the inputs ask for.
func (s sample) expected() File {
	switch s.format.Name {
	case "ndjson":
		return Lines(s.data, s.limit, func(line []byte) ([]string, contracts.Rule) {
			return JSON(line, s.inputs)
		})
	case "text":
		return Lines(s.data, s.limit, func(line []byte) ([]string, contracts.Rule) {
			return Text(line, s.format.Text, s.inputs)
		})
	}
	f := CSV(s.data, s.format.CSV, s.limit)
	places, ok := s.places(f)
	if f.InHead {
		return f
	}
	if !ok {
		return File{Fault: 0, InHead: true}
	}
	for i, r := range f.Records {
		if r.Fields == nil {
			continue
		}
		picked := make([]string, len(places))
		for j, p := range places {
			picked[j] = r.Fields[p]
		}
		f.Records[i].Fields = picked
	}
	return f
}

// places is where the inputs are; false where the file lacks one.
func (s sample) places(f File) (places []int, ok bool) {
	for _, name := range s.inputs {
		at := slices.Index(f.Names, name)
		if !s.format.CSV.Header {
			n, err := strconv.Atoi(name)
			if at = n; err != nil || f.Width > 0 && n >= f.Width {
				at = -1
			}
		}
		if at < 0 {
			return nil, false
		}
		places = append(places, at)
	}
	return places, true
}

// openRecord is where the record starts whose quote is never closed; -1 for none.
func (f File) openRecord(s sample) int64 {
	if !f.Quote || f.InHead {
		return -1
	}
	from := f.DataOffset
	if n := len(f.Records); n > 0 {
		from = f.Records[n-1].Offset + f.Records[n-1].Length
	}
	for isBreak(s.data[from]) || strings.HasPrefix(string(s.data[from:from+1]), s.format.CSV.Comment) &&
		s.format.CSV.Comment != "" {
		if isBreak(s.data[from]) {
			from++
			continue
		}
		from = int64(lineEnd(s.data, int(from)))
	}
	return from
}

// check reads a sample whole and in chunks.
func check(ctx context.Context, s sample) error {
	p := newPath(ctx, s)
	if err := p.compare(p.whole()); err != nil {
		return fmt.Errorf("whole: %w", err)
	}
	for _, size := range s.sizes {
		got, fault := p.split(size)
		if fault == nil {
			fault = p.compare(got)
		}
		if fault != nil {
			return fmt.Errorf("chunks of %d: %w", size, fault)
		}
	}
	return checkStandard(s)
}

// compare holds what was read against the reference.
func (p *path) compare(got outcome) error {
	for i, r := range got.records {
		if i >= len(p.want.Records) {
			return fmt.Errorf("record %d: found %+v, expected the end", i+1, r)
		}
		if want := p.want.Records[i]; !reflect.DeepEqual(r, want) {
			return fmt.Errorf("record %d:\n got %+v\nwant %+v", i+1, r, want)
		}
	}
	if n := len(got.records); n < len(p.want.Records) {
		return fmt.Errorf("record %d: found the end (%v), expected %+v", n+1, got.err, p.want.Records[n])
	}
	var e *contracts.Error
	switch {
	case p.want.Fault < 0 && got.err != nil:
		return fmt.Errorf("found %w, expected no error", got.err)
	case p.want.Fault < 0:
		return nil
	case !errors.As(got.err, &e):
		return fmt.Errorf("found %w, expected an error at %d", got.err, p.want.Fault)
	case p.want.Quote && e.Offset != p.want.Fault || e.Kind != contracts.KindInput && e.Kind != contracts.KindConfig:
		return fmt.Errorf("found %w, expected an error of the input at %d", got.err, p.want.Fault)
	}
	return nil
}

// checkStandard holds the reference against encoding/csv where that one reads the dialect: it drops each CR before an
// LF, knows one quote, and no other escape.
func checkStandard(s sample) error {
	f := s.format.CSV
	comma, size := utf8.DecodeRuneInString(f.Delimiter)
	plain := f.Quote == `"` && f.Escape == `"` && size == len(f.Delimiter) && comma > 0 && comma != utf8.RuneError &&
		f.Comment != "\x00" && !f.Trim && f.Skip == 0
	if !plain || !s.clean || bytes.ContainsRune(s.data, '\r') {
		return nil
	}
	r := stdcsv.NewReader(bytes.NewReader(bytes.TrimPrefix(s.data, []byte(bom))))
	r.Comma, r.FieldsPerRecord = comma, -1
	if f.Comment != "" {
		r.Comment = rune(f.Comment[0])
	}
	rows, err := r.ReadAll()
	if err != nil {
		return fmt.Errorf("encoding/csv: %w", err)
	}
	file := CSV(s.data, f, 1<<20)
	if f.Header && len(rows) > 0 {
		if !slices.Equal(file.Names, rows[0]) {
			return fmt.Errorf("encoding/csv reads the header %q, the reference %q", rows[0], file.Names)
		}
		rows = rows[1:]
	}
	if len(rows) != len(file.Records) {
		return fmt.Errorf("encoding/csv reads %d records, the reference %d", len(rows), len(file.Records))
	}
	for i, row := range rows {
		for j, text := range row {
			if got := file.Records[i].Fields[j]; got != field(contracts.Text, text) && !slices.Contains(f.Null, text) {
				return fmt.Errorf("record %d, field %d: encoding/csv reads %q, the reference %q", i+1, j+1, text, got)
			}
		}
	}
	return nil
}

// flags choose the samples: make nightly takes a million.
type flags struct {
	files *int
	first *uint64
	seed  *uint64
}

func TestMain(m *testing.M) {
	chosen.files = flag.Int("files", 20_000, "generated files")
	chosen.first = flag.Uint64("first", 1, "seed of the first file")
	chosen.seed = flag.Uint64("seed", 0, "the only seed to try; 0: all of them")
	debug.SetGCPercent(400) // each chunk makes a dialect of its own, which is all garbage soon
	m.Run()
}

var chosen flags

// TestRecordsOverChunksAreThoseOfTheWhole is the promise of splitting, on files of every format and dialect, clean and
// dirty: each record once, as the reference reads it, with its offset and its number.
func TestRecordsOverChunksAreThoseOfTheWhole(t *testing.T) {
	t.Parallel()
	if seed := *chosen.seed; seed != 0 {
		s := generate(seed)
		t.Logf("%+v of %d bytes:\n%q", s.format, len(s.data), s.data)
		if err := check(t.Context(), s); err != nil {
			t.Error(err)
		}
		return
	}
	t.Logf("%d files from seed %d on", *chosen.files, *chosen.first)
	var next atomic.Uint64
	for range runtime.GOMAXPROCS(0) {
		t.Run("shard", func(t *testing.T) {
			t.Parallel()
			for i := next.Add(1) - 1; i < uint64(*chosen.files) && !t.Failed(); i = next.Add(1) - 1 {
				s := generate(*chosen.first + i)
				if err := check(t.Context(), s); err != nil {
					t.Errorf("%v\nlimit %d, inputs %q, %+v\n%.2000q\nagain: go test ./internal/reference -run OverChunks -seed %d",
						err, s.limit, s.inputs, s.format, s.data, s.seed)
				}
			}
		})
	}
}
