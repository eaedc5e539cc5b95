package csv

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

func standard() contracts.CSVFormat {
	return contracts.CSVFormat{Delimiter: ",", Quote: `"`, Escape: `"`, Null: []string{""}, QuotedNewlines: true}
}

func mustDialect(t testing.TB, f contracts.CSVFormat) *Dialect {
	t.Helper()
	d, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// table writes about size bytes of ten columns.
func table(size int, quoted bool) []byte {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		if quoted {
			fmt.Fprintf(&b, `"device-%05d","2026-01-01T00:00:00.%03dZ","%d","on","a ""b"" c","%d.5","x","y","","end"`,
				i%20000, i%1000, i, i%977)
		} else {
			fmt.Fprintf(&b, "device-%05d,2026-01-01T00:00:00.%03dZ,%d,on,some words here,%d.5,x,y,,end", i%20000, i%1000,
				i, i%977)
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

var benchmarks = []struct {
	name string
	data []byte
}{
	{"plain", table(1<<20, false)}, {"quoted", table(1<<20, true)},
	{"sparse", cycle(1<<20, strings.Repeat("device-00017,2026-01-01T00:00:00Z,17,on,some words here,12.5,x,y,,end\n", 7)+
		"device-00018,2026-01-01T00:00:00Z,18,on,\"a, \"\"b\"\"\nc\",13.5,x,y,,end\n")},
	{"readings", readings(1 << 20)},
	{"crlf", bytes.ReplaceAll(table(1<<20, false), []byte("\n"), []byte("\r\n"))},
	{"dirty", cycle(1<<20, "device-00017,a 5\" pipe,17,\"on\"ly,\"some\nwords here\",12.5,x,y,,end\n")},
}

// readings writes about size bytes like those of a load: every eighth note is quoted, a quarter of the states is empty.
func readings(size int) []byte {
	notes := []string{"calm", "", "rising", "steady", "falling", "calibrated", `"gusts, then ""calm"""`, ""}
	states := []string{"ok", "", "warn", "fault"}
	var b bytes.Buffer
	for i := uint32(0); b.Len() < size; i++ {
		x := i * 2654435761 // spreads
		fmt.Fprintf(&b, "device-%05d,2026-01-01T00:00:00.%03dZ,%d,%s,%d.%03d,%d.5,%d,true,%s,%08x-0000-4000-8000-%012x\n",
			x%20000, i%1000, i, states[x>>30], x>>12%100, x%1000, 950+x%100, uint64(x)*977, notes[i%8], x, i)
	}
	return b.Bytes()
}

// cycle repeats a text up to about size bytes.
func cycle(size int, text string) []byte { return []byte(strings.Repeat(text, size/len(text))) }

func BenchmarkReader(b *testing.B) {
	d := mustDialect(b, standard())
	bind := &contracts.Binding{Width: 10, Positions: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}
	inputs := make([]string, 10)
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.data)))
			b.ReportAllocs()
			report := testenv.PerCPU(b)
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				r := d.NewReader(bytes.NewReader(bm.data), Options{MaxRecord: 1 << 20, Binding: bind, Inputs: inputs})
				for {
					if _, err := r.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				best = min(best, time.Since(start))
			}
			report(len(bm.data))
			b.ReportMetric(float64(len(bm.data))/1e6/best.Seconds(), "MB/s-best")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	d := mustDialect(b, standard())
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.data)))
			report := testenv.PerCPU(b)
			for b.Loop() {
				if _, err := d.Scan(bytes.NewReader(bm.data), 0, int64(len(bm.data)), true); err != nil {
					b.Fatal(err)
				}
			}
			report(len(bm.data))
		})
	}
}
