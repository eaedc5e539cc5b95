package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// rejectObjectSize is the size at which a reject object is stored and another begun, so that a chunk of nothing but
// rejects needs no more memory than any other.
const rejectObjectSize = 4 << 20

// rejectLog writes a chunk's rejects as objects of NDJSON, named by their content, so that a replay writes the same.
type rejectLog struct {
	store  Rejects
	prefix string
	buf    bytes.Buffer
	first  int64 // segment of the first reject in buf
	keys   []string
	rules  map[contracts.Rule]int64
}

func (r *rejectLog) reset(store Rejects, prefix string) {
	*r = rejectLog{store: store, prefix: prefix, buf: r.buf, rules: map[contracts.Rule]int64{}}
	r.buf.Reset()
}

// add takes one reject.
func (r *rejectLog) add(ctx context.Context, segment int64, line contracts.Reject) error {
	if r.buf.Len() == 0 {
		r.first = segment
	}
	r.rules[line.Rule]++
	enc := json.NewEncoder(&r.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return contracts.Errorf(contracts.KindInternal, "encode a reject: %w", err)
	}
	if r.buf.Len() < rejectObjectSize {
		return nil
	}
	return r.flush(ctx)
}

// flush stores what is buffered.
func (r *rejectLog) flush(ctx context.Context) error {
	if r.buf.Len() == 0 {
		return nil
	}
	sum := sha256.Sum256(r.buf.Bytes())
	key := fmt.Sprintf("%s%012d-%s.ndjson", r.prefix, r.first, hex.EncodeToString(sum[:]))
	if err := r.store.Put(ctx, key, r.buf.Bytes()); err != nil {
		return fmt.Errorf("store rejects: %w", err)
	}
	r.keys = append(r.keys, key)
	r.buf.Reset()
	return nil
}

// setRaw puts a record's bytes in, as text where they are.
func setRaw(line *contracts.Reject, raw []byte) {
	if utf8.Valid(raw) {
		text := string(raw)
		line.Raw = &text
		return
	}
	line.RawBase64 = raw
}
