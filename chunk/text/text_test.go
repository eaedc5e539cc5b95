package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

func open(t testing.TB, src string, f contracts.TextFormat, inputs ...string) *Reader {
	t.Helper()
	r, err := NewReader(lines.New(strings.NewReader(src), lines.Options{Object: "/a.log", MaxRecord: 1 << 20}), f, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLines(t *testing.T) {
	t.Parallel()
	access := contracts.TextFormat{Pattern: `^(?P<host>\S+) (?P<code>\d+)(?: (?P<size>\d+))?$`}
	line := contracts.TextFormat{Fields: []string{"line"}}
	three := contracts.TextFormat{Fields: []string{"a", "b", "rest"}}
	tests := map[string]struct {
		format contracts.TextFormat
		inputs []string
		line   string
		want   []string // kind and bytes
		rule   contracts.Rule
		reason string
	}{
		"groups":          {access, []string{"code", "host"}, "h1 200 17", []string{"2 200", "2 h1"}, "", ""},
		"optional group":  {access, []string{"size", "code"}, "h1 200", []string{"0 ", "2 200"}, "", ""},
		"no match":        {access, []string{"code"}, "h1 x", nil, contracts.RuleSyntax, "line does not match the pattern"},
		"fields":          {three, []string{"rest", "a"}, "1\t \t2  x  y ", []string{"2 x  y ", "2 1"}, "", ""},
		"leading blanks":  {three, []string{"a"}, "  1 2 3", []string{"2 1"}, "", ""},
		"too few fields":  {three, []string{"a"}, "1 2", nil, contracts.RuleFields, "found 2 fields, expected 3"},
		"blanks at end":   {three, []string{"a"}, "1 2  ", nil, contracts.RuleFields, "found 2 fields, expected 3"},
		"one field":       {line, []string{"line"}, "a b", []string{"2 a b"}, "", ""},
		"nothing to find": {contracts.TextFormat{}, nil, "a b", nil, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := open(t, tt.line, tt.format, tt.inputs...).Next()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range rec.Fields {
				got = append(got, fmt.Sprintf("%d %s", f.Kind, f.Bytes))
			}
			if !slices.Equal(got, tt.want) || (rec.Problem != nil) != (tt.rule != "") {
				t.Fatalf("got %q, %+v; want %q, rule %q", got, rec.Problem, tt.want, tt.rule)
			}
			if rec.Problem != nil && (rec.Problem.Rule != tt.rule || !strings.HasPrefix(rec.Problem.Reason, tt.reason)) {
				t.Errorf("problem %+v, expected %s: %s", rec.Problem, tt.rule, tt.reason)
			}
		})
	}
}

func TestInputsMustBeInTheFormat(t *testing.T) {
	t.Parallel()
	tests := map[string]contracts.TextFormat{
		"no such field":  {Fields: []string{"a"}},
		"no such group":  {Pattern: `(?P<a>x)(y)`},
		"broken pattern": {Pattern: `(`},
	}
	for name, f := range tests {
		for _, input := range []string{"b", ""} {
			_, err := NewReader(nil, f, []string{input})
			if contracts.KindOf(err) != contracts.KindConfig {
				t.Errorf("%s, input %q: found %v, expected a config error", name, input, err)
			}
		}
	}
}

func TestAllocationsPerRecord(t *testing.T) {
	src := strings.Repeat("h1 200 some words\n", 6000)
	tests := map[string]struct {
		format contracts.TextFormat
		most   float64
	}{
		"fields":  {contracts.TextFormat{Fields: []string{"host", "code", "rest"}}, 0},
		"pattern": {contracts.TextFormat{Pattern: `^(?P<host>\S+) (?P<code>\d+)`}, 1}, // the regexp package's own
	}
	for name, tt := range tests {
		r := open(t, src, tt.format, "host", "code")
		if n := testing.AllocsPerRun(5000, func() {
			if rec, err := r.Next(); err != nil || rec.Problem != nil {
				t.Fatal(err)
			}
		}); n > tt.most {
			t.Errorf("%s: %v allocations per record, expected at most %v", name, n, tt.most)
		}
	}
}

func BenchmarkFields(b *testing.B) {
	src := strings.Repeat("2026-01-01T00:00:00Z device-00017 some words that follow it\n", 50_000)
	b.SetBytes(int64(len(src)))
	report := testenv.PerCPU(b)
	for b.Loop() {
		r := open(b, src, contracts.TextFormat{Fields: []string{"ts", "id", "rest"}}, "id", "rest")
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
	report(len(src))
}
