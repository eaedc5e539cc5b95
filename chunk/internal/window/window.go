// Package window keeps the part of a stream that a format reader is looking at: the record under way, and what was
// read beyond it.
//
// What must never happen: a buffer that grows with the stream. A record that is longer than the limit loses its rest,
// never its first bytes and never its true length.
package window

import "io"

// Block is how many bytes a window asks for at a time where nobody says otherwise. It is also what a buffer may hold
// beyond the longest record.
const Block = 64 << 10

// Window is a bounded view of a stream. Buf[Pos:] has been read and not been looked at.
type Window struct {
	Buf  []byte // of the record under way, and what follows it
	Pos  int    // in Buf: the next byte to look at
	Mark int    // in Buf: the first byte of the record under way; -1 for none
	Base int64  // Base+Pos is Pos's offset in the stream

	src   io.Reader
	limit int // bytes of a record that are kept
	block int
	err   error
}

// New opens a window on src, whose first byte has the given offset. limit is the longest record in bytes, block the
// size of a read: 0 means Block, the least is 16.
func New(src io.Reader, offset, limit int64, block int) *Window {
	if block == 0 {
		block = Block
	}
	block = max(block, 16) // a look at a few bytes must always fit
	return &Window{Buf: make([]byte, 0, block), Mark: -1, Base: offset, src: src, limit: int(limit), block: block}
}

// Offset is the next byte's offset in the stream.
func (w *Window) Offset() int64 { return w.Base + int64(w.Pos) }

// Fill appends at least one byte to Buf, or says why it cannot: io.EOF at the end. It moves Buf's content, and Pos,
// Mark and Base with it. Of a record under way it keeps no more than the limit once all of Buf has been looked at.
func (w *Window) Fill() error {
	if w.err != nil {
		return w.err
	}
	w.makeRoom()
	n, err := 0, error(nil)
	for empty := 0; n == 0 && err == nil; empty++ {
		if empty == 100 {
			err = io.ErrNoProgress
			break
		}
		n, err = w.src.Read(w.Buf[len(w.Buf):cap(w.Buf)])
	}
	w.Buf = w.Buf[:len(w.Buf)+n]
	w.err = err
	if n > 0 {
		return nil
	}
	return err
}

// Need reads until n bytes wait to be looked at, fewer only at the end of the stream.
func (w *Window) Need(n int) error {
	for len(w.Buf)-w.Pos < n {
		if err := w.Fill(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// makeRoom leaves at least half a block free behind Buf.
func (w *Window) makeRoom() {
	busy := w.Mark >= 0 || w.Pos < len(w.Buf)
	if busy && cap(w.Buf)-len(w.Buf) >= w.block/2 {
		return
	}
	w.slide()
	w.cut()
	if cap(w.Buf)-len(w.Buf) >= w.block/2 {
		return
	}
	grown := make([]byte, len(w.Buf), min(2*cap(w.Buf), w.limit+w.block))
	copy(grown, w.Buf)
	w.Buf = grown
}

// slide drops what lies before the record under way.
func (w *Window) slide() {
	keep := w.Pos
	if w.Mark >= 0 {
		keep = w.Mark
		w.Mark = 0
	}
	w.Buf = w.Buf[:copy(w.Buf, w.Buf[keep:])]
	w.Pos -= keep
	w.Base += int64(keep)
}

// cut drops what a record under way has beyond the limit.
func (w *Window) cut() {
	if over := len(w.Buf) - w.limit; w.Mark >= 0 && over > 0 && w.Pos == len(w.Buf) {
		w.Buf = w.Buf[:w.limit]
		w.Pos -= over
		w.Base += int64(over)
	}
}
