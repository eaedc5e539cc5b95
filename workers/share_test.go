package workers

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// inMemory is the rig with so many bytes for what is read.
func (r *rig) inMemory(n int64) *rig {
	r.cfg.Memory, r.memory = n, newMemory(n)
	return r
}

// expectGivenBack says that nobody has a share any more.
func (r *rig) expectGivenBack(t testing.TB) {
	t.Helper()
	if m := r.memory; m.held != 0 || m.holders != 0 || m.growing != 0 {
		t.Errorf("found %d bytes held by %d, of whom %d wait", m.held, m.holders, m.growing)
	}
}

// TestSegmentsBeyondTheMemory are read several times, and end as those that fit: rows, counts and rejects, whatever
// stands between the passes.
func TestSegmentsBeyondTheMemory(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for i := range 5000 {
		switch i % 10 {
		case 8:
			b.WriteString("{\"p\":1}\n")
		default:
			fmt.Fprintf(&b, "{\"p\":\"p%d\",\"c\":\"c%d\",\"s\":\"s%d\",\"a\":\"%d\"}\n", i%701, i%4001, i, i%97)
		}
	}
	bad := func(column string, value []byte) bool { return column == "a" && string(value) == "13" }
	for name, statics := range map[string]string{"plain": "", "static": staticColumns} {
		c := compiled(t, strings.Replace(fmt.Sprintf(mergeSpec, statics, "unset"),
			"source: {format: ndjson}", "source: {format: ndjson}\nwhere: \"a != '7'\"", 1))
		for _, zip := range []bool{false, true} {
			t.Run(fmt.Sprint(name, zip), func(t *testing.T) {
				load := func(memory int64) (string, contracts.Completion, []contracts.Reject, int) {
					table := newMemoryTable(c.Table().Columns, bad)
					r := newRig(c, write(table.write)).inMemory(memory)
					r.source.data["o"] = b.Bytes()
					part := r.source.part("o", "none", 0, 1)
					if zip {
						r.source.data["o"] = zipped(b.Bytes())
						part = r.source.part("o", "gzip", 0, 4)
					}
					w := work(part)
					w.SegmentSize = int64(b.Len()/3 + 1)
					l := newLoader(r.Workers)
					got, err := l.load(t.Context(), w)
					must(t, err)
					r.expectGivenBack(t)
					return table.dump(), got, rejectsOf(t, r, got), l.passes
				}
				rows, want, rejects, once := load(256 << 20)
				again, got, others, passes := load(1 << 20)
				if once != 1 || passes < 2 || got.Counts != want.Counts || want.Error != nil || want.Counts.Filtered == 0 {
					t.Errorf("in %d passes %+v; in %d %+v", passes, got.Counts, once, want.Counts)
				}
				if again != rows {
					t.Error("the rows are others")
				}
				if !slices.Equal(inOrder(others), inOrder(rejects)) || len(rejects) < 500 {
					t.Errorf("the rejects are others: %d and %d", len(others), len(rejects))
				}
			})
		}
	}
}

// inOrder are rejects as texts, those of an object as they stand in it.
func inOrder(rejects []contracts.Reject) (all []string) {
	for _, r := range rejects {
		all = append(all, fmt.Sprintf("%s %08d %s %s %d", r.Object, r.Offset, r.Reason, *r.Raw, *r.Record))
	}
	slices.Sort(all)
	return all
}

// TestOneBatchHasNotAllOfTheMemory: what a batch addresses by 32 bits must lie within them, however much there is.
func TestOneBatchHasNotAllOfTheMemory(t *testing.T) {
	t.Parallel()
	m := newMemory(1 << 40)
	w := work(contracts.Part{End: 64 << 30})
	w.SegmentSize = w.Parts[0].End
	var a appetite
	for a.expect(w, true, m.most); a.outgrew(m.most); { // 512 MiB are eight of the longest records
		if last := a.share + 512<<20; last > math.MaxUint32 || a.passes < 2 {
			t.Fatalf("a batch may have %d bytes in %d passes", a.share, a.passes)
		}
	}
	if newMemory(100).most != 100 {
		t.Error("a batch may have more than there is")
	}
	r := newRig(compiled(t, plainSpec), write(accepting))
	var b bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&b, "{\"k\":\"%d\"}\n", i)
	}
	r.source.data["o"], r.memory.most = b.Bytes(), leastShare
	l := newLoader(r.Workers)
	got, err := l.load(t.Context(), work(r.source.part("o", "none", 0, 1)))
	must(t, err)
	if l.share != leastShare || l.passes < 2 || got.Counts.Written != 40_000 {
		t.Errorf("loaded %+v in %d passes with %d bytes", got.Counts, l.passes, l.share)
	}
}

// TestRowsOfOneKeyBeyondTheMemory are an error that says what to do, not the end of memory.
func TestRowsOfOneKeyBeyondTheMemory(t *testing.T) {
	t.Parallel()
	r := newRig(compiled(t, plainSpec), write(accepting)).inMemory(2 << 20)
	r.source.data["o"] = bytes.Repeat([]byte("{\"k\":\"a\",\"n\":1}\n"), 60_000)
	for _, more := range []bool{true, false} { // more memory helps
		if !more {
			r.memory.total++ // what one batch may have is less than all
		}
		_, err := newLoader(r.Workers).load(t.Context(), work(r.source.part("o", "none", 0, 1)))
		if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), "--chunk-size") ||
			strings.Contains(err.Error(), "PENSTOCK_MEMORY") != more {
			t.Errorf("found %v", err)
		}
	}
	r.expectGivenBack(t)
}

// TestAppetite: what a chunk took is what the next one of the revision asks for.
func TestAppetite(t *testing.T) {
	t.Parallel()
	r := newRig(compiled(t, plainSpec), write(accepting))
	var b bytes.Buffer
	for i := range 150_000 {
		fmt.Fprintf(&b, "{\"k\":\"%d\"}\n", i)
	}
	r.source.data["o"] = b.Bytes()
	w := work(r.source.part("o", "none", 0, 1))
	w.SegmentSize = 8 << 20
	l := newLoader(r.Workers)
	var shares []int64
	for range 2 {
		_, err := l.load(t.Context(), w)
		must(t, err)
		l.expect(w, false, r.cfg.Memory)
		shares = append(shares, l.share)
	}
	if shares[0] < l.peak || shares[0] < 6*int64(b.Len()) || shares[1] != shares[0] {
		t.Errorf("asked for %d of %d bytes", shares, b.Len())
	}
	other := w
	other.Revision = "another"
	if l.expect(other, false, r.cfg.Memory); l.share > 4*int64(b.Len()) {
		t.Errorf("asked for %d bytes for another revision", l.share)
	}
}

// TestMemory: who asks waits in order; who outgrows its share is served first, but never waits for those that wait.
func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, m := t.Context(), newMemory(100)
		must(t, m.take(ctx, 60))
		must(t, m.take(ctx, 30))
		if m.tryTake(20) || !m.tryTake(10) {
			t.Error("expected 10 bytes to be left")
		}
		m.give(10, true)
		took := make(chan int, 3)
		for _, n := range []int{15, 1} {
			go func() {
				if m.take(ctx, int64(n)) == nil {
					took <- n
				}
			}()
			synctest.Wait()
		}
		if len(took) > 0 || m.tryTake(1) {
			t.Error("overtook one who waited")
		}
		grew := make(chan bool, 2)
		go func() { grew <- m.grow(ctx, 20) }()
		synctest.Wait()
		if len(grew) > 0 {
			t.Error("grew beyond the total")
		}
		go func() { grew <- m.grow(ctx, 50) }()
		synctest.Wait()
		if len(grew) != 1 || <-grew {
			t.Error("waited for one who waits")
		}
		m.give(30, true)
		synctest.Wait()
		if len(grew) != 1 || !<-grew || len(took) != 0 {
			t.Error("expected the share to have grown before others had any")
		}
		m.give(80, true)
		synctest.Wait()
		if len(took) != 2 || <-took != 15 || m.held != 16 {
			t.Errorf("found %d bytes held after %d takers", m.held, len(took))
		}
		ended, end := context.WithCancel(ctx)
		end()
		if err := m.take(ended, 90); contracts.KindOf(err) != contracts.KindInterrupted || m.grow(ended, 90) {
			t.Errorf("found %v", err)
		}
	})
}

// gate is a Writer that tells of each call and waits to be told to go on.
type gate struct{ began, proceed chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{})} }

func (g gate) write(ctx context.Context, _ []cql.Row) ([]cql.Refusal, error) {
	g.began <- struct{}{}
	select {
	case <-g.proceed:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// TestNextChunkIsReadWhileOneIsWritten, and no more than that one: others may be free to begin the one after it.
func TestNextChunkIsReadWhileOneIsWritten(t *testing.T) {
	t.Parallel()
	g := newGate()
	r, w := oneRow(t, write(g.write))
	r.withState(t)
	in := make(inbox, 3)
	r.Chunks = in
	var messages []*message
	for n := range 3 {
		w.Chunk = n
		messages = append(messages, newMessage(t, w, 1))
		in <- messages[n]
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	<-g.began
	<-g.began
	if len(in) != 1 {
		t.Errorf("%d chunks left, expected 1", len(in))
	}
	stop()
	close(g.proceed)
	must(t, <-ended)
	messages[0].expect(t, "ack")
	messages[1].expect(t, "ack")
	messages[2].expect(t)
	r.expectGivenBack(t)
}

// TestChunkThatWaitsForMemoryIsHandedBack when the worker leaves: it has not begun.
func TestChunkThatWaitsForMemoryIsHandedBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := oneRow(t, write(accepting))
		r.inMemory(4 << 20)
		must(t, r.memory.take(t.Context(), 3<<20))
		in, m := make(inbox, 1), newMessage(t, w, 1)
		in <- m
		r.Chunks = in
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		m.expect(t)
		stop()
		must(t, <-ended)
		m.expect(t, "nak 0s")
	})
}

// TestNextSegmentIsReadWhileOneIsWritten: two of a stream's segments are in memory, where there is memory for two.
func TestNextSegmentIsReadWhileOneIsWritten(t *testing.T) {
	t.Parallel()
	for total, read := range map[int64]int64{256 << 20: 2, 3 << 20: 1} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(g.write)).inMemory(total)
			data := lines(300)
			r.source.data["o"] = zipped(data)
			w := work(r.source.part("o", "gzip", 0, 1000))
			w.SegmentSize = 100
			l, ended := newLoader(r.Workers), make(chan error)
			go func() {
				_, err := l.load(t.Context(), w)
				ended <- err
			}()
			for segments := int64(1); ; segments++ {
				<-g.began
				synctest.Wait()
				if len(g.began) > 0 {
					t.Fatal("two segments of a stream are written at a time")
				}
				if n := l.parts[0].Counts.Read - l.parts[0].Counts.Written; segments == 5 && (n > 7) != (read == 2) {
					t.Errorf("memory of %d: %d records are read and not written", total, n)
				}
				if g.proceed <- struct{}{}; segments == 40 {
					break
				}
			}
			close(g.proceed)
			must(t, <-ended)
			if c := l.completion(); c.Counts.Read != 300 || c.Counts.Written != 300 {
				t.Errorf("found %+v", c.Counts)
			}
			r.expectGivenBack(t)
		})
	}
}
