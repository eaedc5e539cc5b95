package chunk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"

	"github.com/penstock-io/penstock/contracts"
)

// InBlocks says whether a part is a range of a compressed object: the blocks or frames that start in it.
func InBlocks(part contracts.Part) bool {
	return !part.Whole && part.Compression != "" && part.Compression != none
}

// bgzfHead is as much of a block's header as tells that it is one.
const bgzfHead = 18

// isBGZF says whether a gzip member begins as bgzip's blocks do: with its size in a field of its own.
func isBGZF(head []byte) bool {
	return len(head) >= bgzfHead && string(head[:4]) == "\x1f\x8b\x08\x04" && string(head[12:16]) == "BC\x02\x00"
}

// bgzfSize is a block's word for its size.
func bgzfSize(head []byte) int64 { return int64(binary.LittleEndian.Uint16(head[16:])) + 1 }

// isFrame says whether a zstd frame may begin here, one to be skipped included.
func isFrame(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == frameMagic || magic&skipMask == skipMagic
}

// ReadBlocks reads the head of a compressed object, at most maxHead stored bytes of it and the last few, and says where
// the block is in which its records begin. nil: it is no bgzip file and no zstd file of many frames, as far as these
// bytes tell, or its head is not in them; one worker reads it whole, and finds out what is wrong with it.
func ReadBlocks(
	ctx context.Context, o Opener, obj contracts.Object, f contracts.Format, maxHead int64,
) (Head, *contracts.Blocks, error) {
	compression := Compression(f, obj.Key)
	if obj.Size > math.MaxInt64/ratio(compression) {
		return Head{}, nil, nil
	}
	first, err := readStored(ctx, o, obj, 0, maxHead)
	if err != nil {
		return Head{}, nil, err
	}
	many, err := hasMany(ctx, o, obj, compression, first)
	if err != nil || !many {
		return Head{}, nil, err
	}
	u, err := newUnits(bytes.NewReader(first), 0, compression)
	if err != nil {
		return Head{}, nil, err
	}
	defer u.close()
	t := &trail{units: u, size: obj.Size}
	h, err := readHead(t, obj, f, maxHead)
	if err != nil {
		return Head{}, nil, nil // whoever reads the whole of it meets the same
	}
	return h, t.before(h.DataOffset), nil
}

// readStored reads n stored bytes, fewer at the object's end.
func readStored(ctx context.Context, o Opener, obj contracts.Object, off, n int64) ([]byte, error) {
	src := openRange(ctx, o, obj, off, off+n)
	defer src.Close() // read to its end, or broken
	return io.ReadAll(io.LimitReader(src, n))
}

// hasMany says whether splitting an object pays.
func hasMany(
	ctx context.Context, o Opener, obj contracts.Object, compression string, first []byte,
) (bool, error) {
	if compression == gz {
		return isBGZF(first) && bgzfSize(first) < obj.Size, nil
	}
	if !isFrame(first) || framesEnd(first, obj.Size) {
		return isFrame(first), nil
	}
	last, err := readStored(ctx, o, obj, max(0, obj.Size-seekFoot), seekFoot)
	return err == nil && isSeekable(last), err
}

// framesEnd says whether the first frame that holds data ends before the object does. pzstd announces each with its
// size in a frame to be skipped.
func framesEnd(first []byte, size int64) bool {
	r := bufio.NewReader(bytes.NewReader(first))
	for at := int64(0); ; {
		head, _ := r.Peek(12)
		skipped := len(head) == 12 && head[0] != frameMagic&0xff
		if skipped && binary.LittleEndian.Uint32(head[4:]) == 4 {
			return at+12+int64(binary.LittleEndian.Uint32(head[8:])) < size
		}
		f := frame{r: r}
		n, err := io.Copy(io.Discard, &f)
		if at += n; err != nil || !f.whole() {
			return false
		}
		if !skipped {
			return at < size
		}
	}
}

// seekFoot is the size of what a seekable zstd file ends with: the number of its frames, a byte, and a magic number.
const seekFoot = 9

func isSeekable(last []byte) bool {
	return len(last) == seekFoot && binary.LittleEndian.Uint32(last[5:]) == 0x8f92eab1 &&
		binary.LittleEndian.Uint32(last) > 1
}

// trail reads units as one stream and remembers where each began. It is for heads: it grows with their number.
type trail struct {
	*units
	size   int64 // stored bytes of the object; fewer may be there
	begun  bool
	off    int64 // decompressed
	starts []contracts.Blocks
}

func (t *trail) Read(p []byte) (int, error) {
	for {
		if t.begun {
			n, err := t.units.Read(p)
			t.off += int64(n)
			if n > 0 {
				return n, nil // an error comes again
			}
			if err != io.EOF {
				return 0, err
			}
		}
		at := t.at()
		if err := t.next(); err == io.EOF && at < t.size {
			return 0, io.ErrUnexpectedEOF // what is there ends with a unit, and the object does not
		} else if err != nil {
			return 0, err
		}
		t.begun = true
		t.starts = append(t.starts, contracts.Blocks{First: at, Next: -1, Start: t.off, End: -1})
	}
}

// before is the last unit that begins at an offset or before it; nil for none.
func (t *trail) before(offset int64) *contracts.Blocks {
	for i := len(t.starts) - 1; i >= 0; i-- {
		if t.starts[i].Start <= offset {
			return &t.starts[i]
		}
	}
	return nil
}
