package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestBytes holds each set to the bytes that it had when figures were first published.
func TestBytes(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"1": "ab416cd979f9ea85", "1b": "72e8ba193e1a2eb9", "2": "07e30667c84d626a", "3": "30aae54f4099ca6e",
		"4": "3e301380518e254c", "5": "a7216e7269d24f44", "6": "f7b1bbd001c62983",
	}
	for _, s := range Sets(1000) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			f, err := Make(t.TempDir(), s)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			for _, path := range f.Paths() {
				sum.Write(read(t, path))
			}
			if got := hex.EncodeToString(sum.Sum(nil)[:8]); got != want[s.Name] {
				t.Errorf("the files' hash is %s, expected %s: raise version with every change of what a set is",
					got, want[s.Name])
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines are the rows of a set's only file.
func lines(t *testing.T, s Set) []string {
	t.Helper()
	f, err := Make(t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(read(t, f.Paths()[0])), "\n"), "\n")
}

func TestSortedIsTheSame(t *testing.T) {
	t.Parallel()
	sets := Sets(1000)
	shuffled, sorted := lines(t, sets[0])[1:], lines(t, sets[1])[1:]
	byDevice := func(a, b string) int { return strings.Compare(a[:8], b[:8]) }
	if slices.IsSortedFunc(shuffled, byDevice) || !slices.IsSortedFunc(sorted, byDevice) {
		t.Error("expected file 1 unsorted, file 1b sorted")
	}
	trim := func(all []string) {
		for i := range all {
			all[i] = strings.TrimSuffix(all[i], "\n")
		}
		slices.Sort(all)
	}
	trim(shuffled)
	trim(sorted)
	if !slices.Equal(shuffled, sorted) {
		t.Error("file 1b has other rows than file 1")
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	for _, s := range Sets(1000) {
		if s.Count > 1 || s.Alone {
			continue
		}
		all := lines(t, s)
		if s.Format == CSV {
			all = all[1:]
		}
		devices, size := map[string]bool{}, 0
		for _, line := range all {
			size += len(line)
			device, _, _ := strings.Cut(line, ",")
			devices[device] = true
			if s.Format == NDJSON && !json.Valid([]byte(line)) {
				t.Fatalf("file %s: not JSON: %s", s.Name, line)
			}
		}
		partitions := s.Partitions
		if s.Order == Unique {
			partitions = s.Rows
		}
		if int64(len(all)) != s.Rows || int64(len(devices)) != partitions {
			t.Errorf("file %s: %d rows in %d partitions, expected %d in %d",
				s.Name, len(all), len(devices), s.Rows, partitions)
		}
		if mean := size / len(all); s.NoteBytes > 0 && (mean < 1000 || mean > 1050) {
			t.Errorf("file %s: %d bytes a row, expected 1 KB", s.Name, mean)
		}
	}
}

func TestCached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Sets(100)[0]
	first, err := Make(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	before := read(t, first.Paths()[0])
	if err := os.WriteFile(first.Paths()[0], bytes.ToUpper(before), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Make(dir, s)
	if err != nil || !bytes.Equal(read(t, again.Paths()[0]), bytes.ToUpper(before)) || again.Bytes != int64(len(before)) {
		t.Errorf("made %+v (%v), expected what was there", again, err)
	}
	s.Rows++
	if other, err := Make(dir, s); err != nil || other.Dir == first.Dir {
		t.Errorf("a set of more rows is in %s (%v), expected a folder of its own", other.Dir, err)
	}
	if _, err := Find([]string{"1", "7"}, 100); err == nil || !strings.Contains(err.Error(), `"7"`) {
		t.Errorf("file 7: %v", err)
	}
}
