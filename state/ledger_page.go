package state

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// A page of a run ends with the entry that brings it to pageEntries or pageBytes, and with its bucket.
const (
	pageEntries = 4096
	pageBytes   = 512 << 10
)

// A run is listed with the first entries of its pages, or of every second, fourth, … where they are more.
const (
	maxStops     = 256
	maxStopBytes = 32 << 10
)

// spot is an object version, and where it stands in a run.
type spot struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version"`
}

func spotOf(o contracts.Object) spot { return spot{o.Bucket, o.Key, o.Version()} }

func (s spot) compare(o spot) int {
	return cmp.Or(cmp.Compare(s.Bucket, o.Bucket), cmp.Compare(s.Key, o.Key), cmp.Compare(s.Version, o.Version))
}

func (s spot) size() int { return len(s.Bucket) + len(s.Key) + len(s.Version) }

// origin says which job loaded an object version, and when.
type origin struct {
	Job    contracts.JobID `json:"job"`
	Loaded time.Time       `json:"loaded"`
}

// ledgerPage is a page of a run: entries of one bucket, each with what its key does not share with the one before, its
// version, and the number of its origin.
type ledgerPage struct {
	V       int      `json:"v"`
	First   spot     `json:"first"`
	Last    spot     `json:"last"`
	Origins []origin `json:"origins"`
	Entries []byte   `json:"entries"`
}

// run is what the directory knows of a run. Its pages are numbered from 0.
type run struct {
	Name  string `json:"name"`
	Of    string `json:"of"` // what is in it: equal runs of a job are equal here
	Pages int    `json:"pages"`
	Last  spot   `json:"last"`
	Step  int    `json:"step"`  // pages from one stop to the next
	Stops []spot `json:"stops"` // the first entry of page 0, Step, 2*Step, …
}

func runKey(pipeline, run string, page int) string {
	return fmt.Sprintf("%s%s/%06d", runsPrefix(pipeline), run, page)
}

// runWriter stores a run page by page. Nobody sees it before it is listed.
type runWriter struct {
	store    *Store
	pipeline string
	run      run
	bytes    int // in run.Stops
	page     ledgerPage
	entries  int // in page
	text     int // bytes of theirs, however they came here: where a page ends depends on nothing else
	numbers  map[origin]int
}

func (s *Store) newRun(pipeline, name, of string) *runWriter {
	return &runWriter{store: s, pipeline: pipeline, run: run{Name: name, Of: of, Step: 1}, numbers: map[origin]int{}}
}

// add appends an entry, which must come after the one before.
func (w *runWriter) add(ctx context.Context, s spot, by origin) error {
	if w.entries > 0 && (s.Bucket != w.page.Last.Bucket || w.entries == w.store.page || w.text >= pageBytes) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if (w.entries > 0 || w.run.Pages > 0) && s.compare(w.page.Last) <= 0 {
		return contracts.Errorf(contracts.KindInternal, "%s %s comes after %s %s: expected entries of the ledger in order",
			s.Key, s.Version, w.page.Last.Key, w.page.Last.Version)
	}
	shared := 0
	if w.entries == 0 {
		w.page.First = s
	} else {
		shared = common(w.page.Last.Key, s.Key)
	}
	b := binary.AppendUvarint(w.page.Entries, uint64(shared))
	b = append(binary.AppendUvarint(b, uint64(len(s.Key)-shared)), s.Key[shared:]...)
	b = append(binary.AppendUvarint(b, uint64(len(s.Version))), s.Version...)
	w.page.Entries = binary.AppendUvarint(b, uint64(w.number(by)))
	w.page.Last = s
	w.entries++
	w.text += len(s.Key) - shared + len(s.Version)
	return nil
}

func (w *runWriter) number(by origin) int {
	n, known := w.numbers[by]
	if !known {
		n = len(w.page.Origins)
		w.numbers[by] = n
		w.page.Origins = append(w.page.Origins, by)
	}
	return n
}

// common is the number of bytes that two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (w *runWriter) flush(ctx context.Context) error {
	w.page.V = contracts.Version
	data, err := contracts.Marshal(w.page)
	if err == nil {
		err = w.store.docs.Put(ctx, runKey(w.pipeline, w.run.Name, w.run.Pages), data)
	}
	if err != nil {
		return fmt.Errorf("store page %d of run %s of the ledger of %s: %w", w.run.Pages, w.run.Name, w.pipeline, err)
	}
	w.stop()
	w.run.Pages++
	w.run.Last = w.page.Last
	w.page = ledgerPage{Last: w.page.Last, Origins: w.page.Origins[:0], Entries: w.page.Entries[:0]}
	w.entries, w.text = 0, 0
	clear(w.numbers)
	return nil
}

// stop notes where a page begins, and forgets every second note where there are too many.
func (w *runWriter) stop() {
	r := &w.run
	if r.Pages%r.Step > 0 {
		return
	}
	r.Stops = append(r.Stops, w.page.First)
	w.bytes += w.page.First.size()
	for len(r.Stops) > maxStops || w.bytes > maxStopBytes && len(r.Stops) > 1 {
		kept := r.Stops[:0]
		w.bytes = 0
		for i := 0; i < len(r.Stops); i += 2 {
			kept = append(kept, r.Stops[i])
			w.bytes += r.Stops[i].size()
		}
		r.Stops = kept
		r.Step *= 2
	}
}

// finish stores the last page.
func (w *runWriter) finish(ctx context.Context) (run, error) {
	if w.entries == 0 {
		return w.run, nil
	}
	err := w.flush(ctx)
	return w.run, err
}

// pageCursor stands at an entry of a page. The zero value is one of no page.
type pageCursor struct {
	page    ledgerPage
	rest    []byte // entries to come
	key     []byte
	version []byte
	by      int
	more    bool // it stands at an entry
	damaged bool
	asked   spot // by seek, last
}

func (s *Store) openPage(ctx context.Context, pipeline, run string, n int) (c pageCursor, err error) {
	if err := s.read(ctx, runKey(pipeline, run, n), &c.page); err != nil {
		return c, fmt.Errorf("read page %d of run %s of the ledger of %s: %w", n, run, pipeline, err)
	}
	c.rewind()
	return c, c.check(pipeline)
}

// check says whether the page could be read so far.
func (c *pageCursor) check(pipeline string) error {
	if c.damaged {
		return unreadable(pipeline, fmt.Errorf("a page that ends with %s is damaged", c.page.Last.Key))
	}
	return nil
}

// unreadable is the error of a page that is listed and cannot be read.
func unreadable(pipeline string, err error) error {
	return contracts.Errorf(contracts.KindInternal, "the ledger of %s: %w: restore it from a backup, or delete %s "+
		"in the state bucket: then what jobs of many files have loaded is loaded again", pipeline, err,
		directoryKey(pipeline))
}

func (c *pageCursor) rewind() {
	c.rest, c.key, c.asked = c.page.Entries, c.key[:0], spot{}
	c.next()
}

// next moves on, if it can.
func (c *pageCursor) next() {
	if c.more = len(c.rest) > 0 && !c.damaged; !c.more {
		return
	}
	shared, rest := c.number(), c.text()
	c.version = c.text()
	c.by = c.number()
	if c.damaged = c.damaged || shared > len(c.key) || c.by >= len(c.page.Origins); c.damaged {
		c.more = false
		return
	}
	c.key = append(c.key[:shared], rest...)
}

func (c *pageCursor) number() int {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 || n > 1<<30 {
		c.damaged = true
		return 0
	}
	c.rest = c.rest[size:]
	return int(n)
}

func (c *pageCursor) text() []byte {
	n := c.number()
	if c.damaged = c.damaged || n > len(c.rest); c.damaged {
		return nil
	}
	text := c.rest[:n]
	c.rest = c.rest[n:]
	return text
}

// spot is the entry that the cursor stands at.
func (c *pageCursor) spot() spot {
	return spot{Bucket: c.page.First.Bucket, Key: string(c.key), Version: string(c.version)}
}

// covers says whether the entry is in the page if it is in the run.
func (c *pageCursor) covers(s spot) bool {
	return c.page.V > 0 && c.page.First.compare(s) <= 0 && s.compare(c.page.Last) <= 0
}

// seek says whether an entry is in the page, which covers it. Asked in order, it goes through the page once.
func (c *pageCursor) seek(s spot) bool {
	if s.compare(c.asked) < 0 {
		c.rewind()
	}
	c.asked = s
	for c.more && c.before(s) {
		c.next()
	}
	return c.more && string(c.key) == s.Key && string(c.version) == s.Version
}

func (c *pageCursor) before(s spot) bool {
	if string(c.key) != s.Key {
		return string(c.key) < s.Key
	}
	return string(c.version) < s.Version
}
