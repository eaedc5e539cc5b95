package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/loadtest/dataset"
)

func TestCut(t *testing.T) {
	t.Parallel()
	many := settings{rows: 3, partitions: 2, bytes: 100}
	tests := map[string]struct {
		s    settings
		keys string
		want string
	}{
		"one partition":     {settings{rows: 3, partitions: 1}, "bbaac", "aa bb c"},
		"full of rows":      {settings{rows: 2, partitions: 1}, "aaaaa", "aa aa a"},
		"two partitions":    {many, "abcde", "ab cd e"},
		"rows come first":   {many, "aabbc", "aab bc"},
		"bytes of several":  {settings{rows: 9, partitions: 9, bytes: 35}, "abcdefg", "abc def g"},
		"no bytes of one":   {settings{rows: 9, partitions: 9, bytes: 35}, "aaaaaaa", "aaaaaaa"},
		"nothing":           {many, "", ""},
		"one, and too long": {settings{rows: 9, partitions: 9, bytes: 5}, "aab", "aa b"},
	}
	for name, tt := range tests {
		var rows []row
		for i, key := range tt.keys {
			rows = append(rows, row{device: string(key), seq: i, size: 10})
		}
		var got []string
		cut(rows, tt.s, func(batch []row) {
			var keys strings.Builder
			for _, r := range batch {
				keys.WriteString(r.device)
			}
			got = append(got, keys.String())
		})
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, s := range dataset.Sets(1000) {
		if s.Format != dataset.CSV || s.Alone {
			continue
		}
		f, err := dataset.Make(t.TempDir(), s)
		if err != nil {
			t.Fatal(err)
		}
		blocks := make(chan []row, 100)
		if err := readAll(t.Context(), f.Paths(), f.Bytes/4, blocks); err != nil {
			t.Fatal(err)
		}
		close(blocks)
		var rows, sum int64
		for block := range blocks {
			for _, r := range block {
				rows, sum = rows+1, sum+int64(r.seq)
			}
		}
		if rows != s.Rows || sum != s.Sum() {
			t.Errorf("file %s: read %d rows, expected %d", s.Name, rows, s.Rows)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.csv")
	text := "device,ts,seq,status,temperature,pressure,total,valid,note,trace\n" +
		"d0000001,2026-01-01T00:00:00.001Z,7,ok,-1.500,950.5,12,true,calm,11111111-2222-4333-8444-555555555555\n" +
		"d0000001,yesterday,7,ok,-1.500,950.5,12,true,calm,11111111-2222-4333-8444-555555555555\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []any
	err := readFile(path, func(r row) error { got = r.values(); return nil })
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a time that is none: %v", err)
	}
	want := []any{"d0000001", int64(1767225600001), 7, "ok", -1.5, float32(950.5), int64(12), true, "calm"}
	if len(got) != 10 || !reflect.DeepEqual(got[:9], want) {
		t.Errorf("%v, expected %v and a trace", got, want)
	}
}
