package chunk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// memory is a store of one object. It counts requests and refuses those that a real store would refuse.
type memory struct {
	data     []byte
	requests []string // "off+n"
	open     int      // bodies that are not closed
	given    int64    // bytes read from bodies
	step     int      // bytes a body gives at a time; 0: all
	err      error    // after failAt bytes
	failAt   int64
}

func (m *memory) object(key string) contracts.Object {
	return contracts.Object{Bucket: "landing", Key: key, ETag: "e1", Size: int64(len(m.data))}
}

func (m *memory) Open(_ context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	m.requests = append(m.requests, fmt.Sprintf("%d+%d", off, n))
	switch {
	case o.ETag != "e1":
		return nil, contracts.At(contracts.KindChanged, o.Address(), -1, "changed")
	case off < 0 || n == 0 || off >= o.Size || n > 0 && off+n > o.Size:
		return nil, fmt.Errorf("range %d+%d of %d bytes cannot be satisfied", off, n, o.Size)
	case n < 0:
		n = o.Size - off
	}
	m.open++
	return &body{m: m, off: off, r: bytes.NewReader(m.data[off : off+n])}, nil
}

type body struct {
	m   *memory
	off int64
	r   *bytes.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if b.m.err != nil && b.off >= b.m.failAt {
		return 0, b.m.err
	}
	if b.m.step > 0 {
		p = p[:min(len(p), b.m.step)]
	}
	n, err := b.r.Read(p)
	b.off += int64(n)
	b.m.given += int64(n)
	return n, err
}

func (b *body) Close() error {
	b.m.open--
	return nil
}

// got is a record, copied.
type got struct {
	Offset, Length int64
	Raw            string
	Rule           contracts.Rule
	Fields         []string
}

func copied(r *contracts.Record) got {
	g := got{Offset: r.Offset, Length: r.Length, Raw: string(r.Raw)}
	if r.Problem != nil {
		g.Rule = r.Problem.Rule
	}
	for _, f := range r.Fields {
		g.Fields = append(g.Fields, fmt.Sprintf("%d:%s", f.Kind, f.Bytes))
	}
	return g
}

// readPart reads a part to its end.
func readPart(t testing.TB, m *memory, part contracts.Part, s chunk.Spec) ([]got, error) {
	t.Helper()
	r, err := chunk.NewReader(t.Context(), m, part, s)
	if err != nil {
		return nil, err
	}
	var all []got
	for {
		rec, err := r.Next()
		if err != nil {
			_, again := r.Next()
			if again != err {
				t.Fatalf("error %v, then %v: expected the same again", err, again)
			}
			if cerr := r.Close(); cerr != nil || m.open != 0 {
				t.Fatalf("close: %v, %d bodies open", cerr, m.open)
			}
			if err == io.EOF {
				err = nil
			}
			return all, err
		}
		if part.Whole || rec.Offset >= part.Start && rec.Offset < part.End || s.Format.Name == "ndjson" {
			all = append(all, copied(rec))
			continue
		}
		t.Fatalf("record at %d is outside of [%d, %d)", rec.Offset, part.Start, part.End)
	}
}

func whole(m *memory, key string, f contracts.Format) contracts.Part {
	o := m.object(key)
	return contracts.Part{Object: o, End: o.Size, Whole: true, Compression: chunk.Compression(f, key)}
}

// readSplit plans, scans where the format asks for it, and reads chunk by chunk.
func readSplit(t testing.TB, m *memory, s chunk.Spec, segment int64) ([]got, error) {
	t.Helper()
	obj := m.object("a.csv")
	head, err := chunk.ReadHead(t.Context(), m, obj, s.Format, 1<<20)
	if err != nil {
		return nil, err
	}
	bind, err := head.Bind(obj.Address(), s.Format, s.Inputs, s.Strict)
	if err != nil {
		return nil, err
	}
	var all []got
	var first error
	prefix := chunk.StartPrefix()
	for start, end := range chunk.Ranges(obj.Size, head.DataOffset, segment) {
		part := contracts.Part{Object: obj, Start: start, End: end, Binding: &bind, State: prefix.State}
		recs, err := readPart(t, m, part, s)
		all = append(all, recs...)
		if err != nil && first != nil {
			t.Fatalf("two errors: %v, then %v", first, err)
		}
		first = errors.Join(first, err)
		if chunk.NeedsScan(s.Format) {
			prefix = then(t, m, part, s.Format, prefix)
			if prefix.Records != int64(len(all)) && err == nil && first == nil {
				t.Fatalf("at %d: scans count %d records, readers %d", end, prefix.Records, len(all))
			}
		}
	}
	checkQuote(t, prefix, first)
	return all, first
}

func then(t testing.TB, m *memory, part contracts.Part, f contracts.Format, p chunk.Prefix) chunk.Prefix {
	t.Helper()
	m.requests = nil
	outs, err := chunk.ScanPart(t.Context(), m, part, f)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[%d+%d]", part.Start, part.End-part.Start); fmt.Sprint(m.requests) != want {
		t.Fatalf("scan made requests %v, expected %s", m.requests, want)
	}
	next := p.Then(outs)
	if !next.Known() {
		t.Fatalf("no outcome for state %d in %v", p.State, outs)
	}
	return next
}

// checkQuote: the readers and the scans must name the same quote that is never closed.
func checkQuote(t testing.TB, p chunk.Prefix, err error) {
	t.Helper()
	var e *contracts.Error
	switch {
	case err == nil && p.Quote >= 0:
		t.Fatalf("scans find a quote open at %d, readers none", p.Quote)
	case errors.As(err, &e) && e.Offset != p.Quote:
		t.Fatalf("scans find a quote open at %d, readers say %v", p.Quote, err)
	}
}
