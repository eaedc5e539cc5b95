package report

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/peers"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{1, 4}, 2.5}, {[]float64{9, 1, 2}, 2}, {[]float64{8, 1, 100, 2}, 5},
	} {
		first := tt.values[0]
		if got := median(tt.values); got != tt.want || tt.values[0] != first {
			t.Errorf("median of %v is %v, expected %v", tt.values, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 100000: "100,000"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, expected %q", n, got, want)
		}
	}
}

// tool is one that is only looked at.
func tool(name string, kind peers.Kind) peers.Tool { return peers.Tool{Name: name, Kind: kind} }

// results have a tool that is right always, one that lost rows once, one that failed always, one that never ran.
func results() Results {
	s := func(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }
	run := func(tool string, round int, wall, client, server, others float64, peak int64) Run {
		return Run{Set: "1", Tool: tool, Round: round, Wall: s(wall), Client: s(client), Server: s(server), Helpers: s(0.5),
			Others: s(others), Peak: peak << 20, Rows: 2_000_000, Right: true}
	}
	lost := run("copy", 2, 1, 1, 1, 0, 1)
	lost.Rows, lost.Right = 1_999_000, false
	failed := run("quitter", 1, 1, 1, 1, 0, 1)
	failed.Rows, failed.Right, failed.Error = 0, false, "exit status 1: a | b"
	return Results{
		Files: dataset.Files{Set: dataset.Sets(2_000_000)[0], Bytes: 200_000_000},
		Tools: []peers.Tool{tool("penstock", peers.Penstock), tool("bare", peers.Yardstick), tool("bulk", peers.Loader),
			tool("copy", peers.Loader), tool("quitter", peers.Loader), tool("absent", peers.Loader)},
		Runs: []Run{
			run("penstock", 1, 12, 11, 20, 0, 180), run("bare", 1, 10, 10, 20, 1, 300), run("bulk", 1, 30, 26, 30, 0, 900),
			run("copy", 1, 40, 34, 30, 0, 400), failed,
			run("penstock", 2, 10, 10, 22, 5, 200), run("bare", 2, 8, 12, 18, 0, 320), run("bulk", 2, 28, 22, 30, 14, 950), lost,
			run("penstock", 3, 9, 14, 21, 0, 190), run("bare", 3, 9, 11, 19, 0, 310), run("bulk", 3, 29, 25, 32, 0, 930),
		},
		Machine: []string{"2 cores", "Go 1.26"},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	r := results()
	for name, got := range map[string]string{"table.md": r.Markdown(), "plot.svg": r.SVG()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v): got\n%s\nexpected\n%s\n(-update writes it anew)", name, err, got, want)
		}
	}
}

func TestSVGIsXML(t *testing.T) {
	t.Parallel()
	r := results()
	r.Files.Title = "a < b & c"
	decoder := xml.NewDecoder(strings.NewReader(r.SVG()))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrong(t *testing.T) {
	t.Parallel()
	r := results()
	if got := r.Wrong(peers.Loader); len(got) != 2 || got[0].Tool != "copy" || got[1].Tool != "quitter" {
		t.Errorf("%+v, expected one run of copy and one of quitter", got)
	}
	if got := r.Wrong(peers.Penstock); len(got) > 0 {
		t.Errorf("%+v, expected none", got)
	}
}

// TestAlone has nobody to be compared with.
func TestAlone(t *testing.T) {
	t.Parallel()
	r := results()
	r.Tools = r.Tools[:1]
	if got := r.Markdown(); strings.Contains(got, "fastest") || strings.Contains(got, "bare loop") {
		t.Errorf("it is compared with nobody:\n%s", got)
	}
	r.Tools = nil
	if got := r.Markdown() + r.SVG(); strings.Contains(got, "NaN") {
		t.Errorf("without tools:\n%s", got)
	}
}
