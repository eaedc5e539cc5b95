package penstock

import (
	"bytes"
	"encoding/csv"
	"io"
	"strconv"
	"testing"
	"testing/iotest"
)

// TestFile reads a file back: it has as many rows and rejects as it says, and the size that the upload announces.
func TestFile(t *testing.T) {
	t.Parallel()
	for _, f := range []File{
		{Key: "a", Bytes: 1000}, {Key: "a", Bytes: 0}, {Key: "long/key.csv", Bytes: 100_000, Bad: 7}, {Key: "b", Bad: 1},
	} {
		data, err := io.ReadAll(iotest.OneByteReader(f.reader()))
		if err != nil || int64(len(data)) != f.size() {
			t.Errorf("%+v: %d bytes, %v, expected %d", f, len(data), err, f.size())
		}
		if f.Bytes > 0 && int64(len(data)) > f.Bytes {
			t.Errorf("%+v: %d bytes", f, len(data))
		}
		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil || int64(len(rows)-1) != f.Rows() {
			t.Fatalf("%+v: %d rows, %v, expected %d", f, len(rows)-1, err, f.Rows())
		}
		var bad int64
		for _, r := range rows[1:] {
			if _, err := strconv.Atoi(r[3]); err != nil {
				bad++
			}
		}
		if bad != f.Rejects() {
			t.Errorf("%+v: %d bad rows, expected %d", f, bad, f.Rejects())
		}
	}
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"2.10.0": true, "2.15.2": true, "3.0.0-beta": true, "2.9.25": false, "1.4.1": false, "": false, "nightly": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("nats-server %q: %v", version, err)
		}
	}
}
