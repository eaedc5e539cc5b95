package dataset

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// version of the generator: whoever changes what a set's bytes are raises it, so that no cached file is taken for it.
const version = 1

// Files are a set in a folder of its own.
type Files struct {
	Set
	Dir   string // holds the set's files and nothing else
	Bytes int64
}

// Paths are the files in order.
func (f Files) Paths() []string {
	paths := make([]string, f.Count)
	for i := range paths {
		paths[i] = filepath.Join(f.Dir, f.name(i))
	}
	return paths
}

func (s Set) name(i int) string { return fmt.Sprintf("readings-%05d.%s", i, s.Format) }

// Sum is what the values of column seq of a whole table come to.
func (s Set) Sum() int64 { return s.Rows * (s.Rows - 1) / 2 }

// id tells sets of different bytes apart; name and title make none.
func (s Set) id() string {
	s.Name, s.Title, s.Alone = "", "", false
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %+v", version, seed, s))
	return hex.EncodeToString(sum[:6])
}

// Make gives the set's files below the folder, where it writes them unless they are there.
func Make(cache string, s Set) (Files, error) {
	f := Files{Set: s, Dir: filepath.Join(cache, fmt.Sprintf("%s-%d-%s", s.Name, s.Rows, s.id()))}
	if _, err := os.Stat(f.Dir); err != nil {
		if err := f.write(); err != nil {
			return Files{}, fmt.Errorf("make file %s: %w", s.Name, err)
		}
	}
	for _, path := range f.Paths() {
		info, err := os.Stat(path)
		if err != nil {
			return Files{}, fmt.Errorf("file %s in the cache: %w: remove its folder", s.Name, err)
		}
		f.Bytes += info.Size()
	}
	return f, nil
}

// write makes the folder appear all at once.
func (f Files) write() error {
	part := f.Dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	src := newSource(f.Set)
	at := src.order()
	for i := range f.Count {
		from, to := f.Rows*i/f.Count, f.Rows*(i+1)/f.Count
		if err := src.writeFile(filepath.Join(part, f.name(int(i))), at, from, to); err != nil {
			return err
		}
	}
	return os.Rename(part, f.Dir)
}

// order gives the number of the row at a place in the files.
func (s *source) order() func(place int64) int64 {
	if s.set.Order != Sorted {
		return func(place int64) int64 { return place }
	}
	type placed struct{ device, row int64 }
	all := make([]placed, s.set.Rows)
	for i := range all {
		all[i] = placed{s.device(int64(i)), int64(i)}
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.row, b.row))
	})
	return func(place int64) int64 { return all[place].row }
}

func (s *source) writeFile(path string, at func(int64) int64, from, to int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	if s.set.Format == CSV {
		line = header()
	}
	for place := from; place < to; place++ {
		if line = s.at(at(place)).append(line, s.set.Format); len(line) > 1<<15 || place == to-1 {
			if _, err := w.Write(line); err != nil {
				return err
			}
			line = line[:0]
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (r row) append(b []byte, f Format) []byte {
	if f == NDJSON {
		return r.appendNDJSON(b)
	}
	return r.appendCSV(b)
}
