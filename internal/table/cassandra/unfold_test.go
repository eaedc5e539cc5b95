package cassandra

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

// foldedFrame is a batch as the driver frames it: one row of four values, the last of which is the folded rows.
func foldedFrame(folded []byte) []byte {
	body := []byte("\x01\x00\x01\x01\x00\x02id\x00\x04" + "\x00\x00\x00\x01k" + "\xff\xff\xff\xff" + "\xff\xff\xff\xff")
	body = append(cql.AppendValue(body, folded), "\x00\x06\x00"...)
	return append([]byte{protocolVersion, 0, 0, 1, opBatch}, cql.AppendValue(nil, body)...)
}

func TestBatchesAreUnfolded(t *testing.T) {
	t.Parallel()
	w := &Writer{table: cql.Table{Columns: make([]cql.Column, 4)}, ttl: 1}
	rows := []cql.Row{row("d", "1", 1, "x"), row("d", "2", 2, "")}
	rows[1].Values = append(cql.AppendUnset(rows[1].Values[:rows[1].Key]), "\xff\xff\xff\xff"...)
	b := new(bound)
	want := []byte("\x01\x00\x02")
	for _, r := range rows {
		b.fold(w, r, 3)
		want = append(append(want, "\x01\x00\x02id\x00\x04"...), r.Values...)
		want = append(want, "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x03"...)
	}
	want = append(want, "\x00\x06\x00"...)
	want = append([]byte{protocolVersion, 0, 0, 1, opBatch}, cql.AppendValue(nil, want)...)
	var sent bytes.Buffer
	conn := newFrameConn(sink{w: &sent})
	for range 2 { // the second in the memory of the first
		sent.Reset()
		frame := foldedFrame(b.folded)
		if n, err := conn.Write(frame); n != len(frame) || err != nil || !bytes.Equal(sent.Bytes(), want) {
			t.Errorf("%d %v\n%q, expected\n%q", n, err, sent.Bytes(), want)
		}
	}
}

// A batch that does not hold one folded row never leaves: it would be written as that row.
func TestBatchesThatAreNotFoldedAreRefused(t *testing.T) {
	t.Parallel()
	two := foldedFrame(nil)
	binary.BigEndian.PutUint16(two[headerSize+1:], 2)
	whole := foldedFrame([]byte("\x00\x00\x00\x01r"))
	frames := [][]byte{two, foldedFrame([]byte("\x00\x00\x00\x09row")), foldedFrame([]byte("\xff\xff\xff\xff"))}
	for n := headerSize; n < len(whole)-3; n++ {
		frames = append(frames, whole[:n])
	}
	for _, frame := range frames {
		var sent bytes.Buffer
		n, err := newFrameConn(sink{w: &sent}).Write(frame)
		if n != 0 || !errors.Is(err, errFrame) || sent.Len() > 0 {
			t.Errorf("%q is sent as %q: %d %v", frame, sent.Bytes(), n, err)
		}
	}
}
