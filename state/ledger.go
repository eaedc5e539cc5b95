package state

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"iter"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

// LedgerEntry says that a pipeline has loaded an object version, and which job did.
type LedgerEntry struct {
	V       int             `json:"v"`
	Job     contracts.JobID `json:"job"`
	Object  string          `json:"object"` // address
	Version string          `json:"version"`
	Loaded  time.Time       `json:"loaded"`
}

// ordered is an encoding whose texts sort as the bytes do.
var ordered = base32.HexEncoding.WithPadding(base32.NoPadding)

// The key of an entry holds the object's key, encoded so that the ledger lists in the order in which objects list, in
// pieces that no store finds too long, and such that no entry's key is a folder of another's.
const (
	ledgerPiece   = 100
	ledgerLongest = 640 // encoded; longer keys are hashed and looked up one by one
)

func ledgerPrefix(pipeline, bucket string) string {
	return "ledger/" + pipeline + "/" + strings.ReplaceAll(bucket, ":", "_") + "/"
}

// ledgerKey is an entry's key below its prefix; ordered says whether it sorts as the object's key does.
func ledgerKey(o contracts.Object) (key string, sorts bool) {
	sum := sha256.Sum256([]byte(o.Version()))
	version := "." + hex.EncodeToString(sum[:10])
	text := ordered.EncodeToString([]byte(o.Key))
	if len(text) > ledgerLongest {
		hash := sha256.Sum256([]byte(o.Key))
		return "~" + hex.EncodeToString(hash[:]) + version, false
	}
	var b strings.Builder
	for len(text) >= ledgerPiece {
		b.WriteString(text[:ledgerPiece] + "/")
		text = text[ledgerPiece:]
	}
	return b.String() + text + version, true
}

// AddLedger records that an object version was loaded.
func (s *Store) AddLedger(
	ctx context.Context, pipeline string, job contracts.JobID, o contracts.Object, at time.Time,
) error {
	key, _ := ledgerKey(o)
	_, err := s.createJSON(ctx, ledgerPrefix(pipeline, o.Bucket)+key, LedgerEntry{
		V: contracts.Version, Job: job, Object: o.Address(), Version: o.Version(), Loaded: at,
	})
	return err
}

// Loaded is the ledger's entry of an object version; KindMissing where there is none.
func (s *Store) Loaded(ctx context.Context, pipeline string, o contracts.Object) (LedgerEntry, error) {
	return s.loaded(ctx, s.ledgerRuns(pipeline), o)
}

// loaded asks for an entry of the object's own and looks into the runs at once.
func (s *Store) loaded(ctx context.Context, runs *ledgerRuns, o contracts.Object) (e LedgerEntry, err error) {
	key, _ := ledgerKey(o)
	var by *origin
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		by, err = runs.find(ctx, o)
		return err
	})
	missing := false
	g.Go(func() error {
		err := s.read(ctx, ledgerPrefix(runs.pipeline, o.Bucket)+key, &e)
		if missing = contracts.KindOf(err) == contracts.KindMissing; missing {
			return nil
		}
		return err
	})
	switch err = g.Wait(); {
	case err != nil || !missing:
		return e, err
	case by == nil:
		return e, contracts.At(contracts.KindMissing, o.Address(), -1, "version %s is not in the ledger of %s",
			o.Version(), runs.pipeline)
	}
	return LedgerEntry{
		V: contracts.Version, Job: by.Job, Object: o.Address(), Version: o.Version(), Loaded: by.Loaded.UTC(),
	}, nil
}

// ledgerLookups is the number of objects that are entered one by one, and that are looked up one by one before a cursor
// lists the ledger beside them.
const ledgerLookups = 16

// Ledger answers for objects in the order in which a job reads them, by reading the ledger beside them: runs by their
// pages, and other entries from a listing, so that a million objects cost a thousand requests. Not safe for concurrent
// use; Close it.
type Ledger struct {
	ctx      context.Context
	store    *Store
	pipeline string
	runs     *ledgerRuns
	asked    int
	bucket   string
	next     func() (string, error, bool)
	stop     func()
	head     string // the entry that the listing stands at, "" before the first
	passed   string // the stem that the listing has passed last
	ended    bool
}

// Ledger opens a cursor.
func (s *Store) Ledger(ctx context.Context, pipeline string) *Ledger {
	return &Ledger{ctx: ctx, store: s, pipeline: pipeline, runs: s.ledgerRuns(pipeline), stop: func() {}}
}

// Close ends the listing.
func (l *Ledger) Close() { l.stop() }

// Has says whether the object version was loaded. Objects must come in order of bucket and key.
func (l *Ledger) Has(o contracts.Object) (bool, error) {
	key, sorts := ledgerKey(o)
	if l.asked++; l.asked <= ledgerLookups || !sorts {
		return l.lookUp(o)
	}
	if by, err := l.runs.find(l.ctx, o); by != nil || err != nil {
		return by != nil, err
	}
	prefix := ledgerPrefix(l.pipeline, o.Bucket)
	stem := prefix + key[:strings.LastIndexByte(key, '.')+1]
	if l.next == nil || l.bucket != o.Bucket {
		l.open(o.Bucket, prefix, stem)
	}
	if stem == l.passed { // another version of the same key: in the listing its entry may stand before the last one's
		return l.lookUp(o)
	}
	has := false
	for !l.ended && (l.head < stem || strings.HasPrefix(l.head, stem)) {
		has = has || l.head == prefix+key
		if err := l.advance(); err != nil {
			return false, err
		}
	}
	l.passed = stem
	return has, nil
}

func (l *Ledger) lookUp(o contracts.Object) (bool, error) {
	_, err := l.store.loaded(l.ctx, l.runs, o)
	if contracts.KindOf(err) == contracts.KindMissing {
		return false, nil
	}
	return err == nil, err
}

func (l *Ledger) open(bucket, prefix, after string) {
	l.stop()
	l.bucket, l.head, l.ended = bucket, "", false
	l.next, l.stop = iter.Pull2(l.store.docs.List(l.ctx, prefix, after))
}

// advance moves to the next entry. After an error the listing is opened again: one that broke off knows nothing.
func (l *Ledger) advance() error {
	key, err, more := l.next()
	l.head, l.ended = key, !more
	if err != nil {
		l.next = nil
	}
	return err
}
