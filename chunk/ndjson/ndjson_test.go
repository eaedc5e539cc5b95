package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fastjson"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

func open(src string, inputs ...string) *Reader {
	return NewReader(lines.New(strings.NewReader(src), lines.Options{Object: "/a.json", MaxRecord: 1 << 20}), inputs)
}

var kinds = []string{"missing", "null", "text", "number", "bool", "json"}

func show(fields []contracts.Field) (all []string) {
	for _, f := range fields {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s", kinds[f.Kind], f.Bytes)))
	}
	return all
}

func TestFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line   string
		inputs []string
		want   []string
	}{
		"kinds": {`{"a":"x","b":-1.50e+3,"c":true,"d":null,"e":[1, "]"],"f":{"g" : 1}}`,
			[]string{"a", "b", "c", "d", "e", "f", "g"},
			[]string{"text x", "number -1.50e+3", "bool true", "null", `json [1, "]"]`, `json {"g" : 1}`, "missing"}},
		"path": {`{"a":{"b":{"c":1}}}`, []string{"a.b.c", "a.b", "a.x.c"},
			[]string{"number 1", `json {"c":1}`, "missing"}},
		"path into scalar":  {`{"a":1}`, []string{"a.b", "a"}, []string{"missing", "number 1"}},
		"path into array":   {`{"a":[{"b":1}]}`, []string{"a.b"}, []string{"missing"}},
		"literal dot wins":  {`{"a":{"b":1},"a.b":2}`, []string{"a.b"}, []string{"number 2"}},
		"literal null wins": {`{"a.b":null,"a":{"b":1}}`, []string{"a.b"}, []string{"null"}},
		"dot below is path": {`{"x":{"a.b":1,"a":{"b":2}}}`, []string{"x.a.b"}, []string{"number 2"}},
		"last wins":         {`{"a":1,"a":"x"}`, []string{"a"}, []string{"text x"}},
		"last object wins":  {`{"a":{"b":1},"a":{"c":2}}`, []string{"a.b", "a.c"}, []string{"missing", "number 2"}},
		"escapes": {`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ufffd"}`, []string{"a"},
			[]string{"text \"\\/\b\f\n\r\té😀\ufffd"}},
		"escaped name": {`{"\u0061\n":1}`, []string{"a\n"}, []string{"number 1"}},
		"long escaped name": {`{"` + strings.Repeat(`\u0061`, 100) + `":1}`, []string{strings.Repeat("a", 100)},
			[]string{"number 1"}},
		"blanks":       {"\t { \"a\"\t: 1 , \"b\" : [ ] } ", []string{"a", "b"}, []string{"number 1", "json [ ]"}},
		"empty":        {`{}`, []string{"a"}, []string{"missing"}},
		"empty text":   {`{"a":"","":2}`, []string{"a", ""}, []string{"text", "number 2"}},
		"broken UTF-8": {"{\"a\":\"\xff\"}", []string{"a"}, []string{"text \xff"}},
		"unasked half": {`{"a":"\ud800","b":1}`, []string{"b"}, []string{"number 1"}},
		"many names": {`{"f":6,"j":{"x":1},"a":1}`, strings.Split("a b c d e f g h i j j.x", " "), []string{"number 1",
			"missing", "missing", "missing", "missing", "number 6", "missing", "missing", "missing", `json {"x":1}`,
			"number 1"}},
		"inputs twice": {`{"a":"\n1"}`, []string{"a", "a"}, []string{"text \n1", "text \n1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := open("{\"a\":{\"b\":9,\"c\":9}}\n"+tt.line, tt.inputs...).skip(t).Next()
			if err != nil || rec.Problem != nil {
				t.Fatalf("%v %+v", err, rec)
			}
			if got := show(rec.Fields); !slices.Equal(got, tt.want) {
				t.Errorf("\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// skip reads a record whose values must not show in the next one.
func (r *Reader) skip(t *testing.T) *Reader {
	t.Helper()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMalformedLinesAreRejectsThatSayWhere(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`{"a":1`:          `byte 6 of the record: found the end of the line, expected ',' or '}'`,
		`{"a":1}}`:        `byte 7 of the record: found "}", expected the end of the line`,
		`{"a":1} {"b":2}`: `byte 8 of the record: found "{", expected the end of the line`,
		`[1]`:             `byte 0 of the record: found "[", expected an object`,
		` 1`:              `byte 1 of the record: found "1", expected an object`,
		`{"a":01}`:        `byte 6 of the record: found "1", expected ',' or '}'`,
		`{"a":1.}`:        `byte 7 of the record: found "}", expected a digit`,
		`{"a":1e}`:        `byte 7 of the record: found "}", expected a digit`,
		`{"a":-}`:         `byte 6 of the record: found "}", expected a value`,
		`{"a":nan}`:       `byte 6 of the record: found "a", expected null`,
		`{"a":truE}`:      `byte 8 of the record: found "E", expected true`,
		`{"a"}`:           `byte 4 of the record: found "}", expected ':'`,
		`{a:1}`:           `byte 1 of the record: found "a", expected a name in quotes`,
		`{"a":1,}`:        `byte 7 of the record: found "}", expected a name in quotes`,
		`{"a":[1,]}`:      `byte 8 of the record: found "]", expected a value`,
		`{"a":[1 2]}`:     `byte 8 of the record: found "2", expected ',' or ']'`,
		`{"a":"x`: `byte 7 of the record: found the end of the line, expected a string's next ` +
			`character or '"'`,
		`{"a":"x\`:                         `byte 8 of the record: found the end of the line, expected an escape`,
		`{"a":"\x"}`:                       `byte 7 of the record: found "x", expected one of "\/bfnrtu after a backslash`,
		`{"a":"\u12g4"}`:                   `byte 10 of the record: found "g", expected four hexadecimal digits`,
		"{\"a\":\"\x01\\n\"}":              `byte 6 of the record: found "\x01", expected a string's next character or '"'`,
		strings.Repeat("[", 500):           `byte 0 of the record: found "[", expected an object`,
		`{"a":` + strings.Repeat("[", 500): `byte 304 of the record: found "[", expected at most 300 levels of nesting`,
	}
	for line, want := range tests {
		rec, err := open(line, "a").Next()
		if err != nil || rec.Problem == nil || rec.Problem.Rule != contracts.RuleSyntax || rec.Problem.Reason != want {
			t.Errorf("%s:\n got %v %+v\nwant %s", line, err, rec.Problem, want)
		}
	}
	rec, err := open(`{"a":"\ud800x"}`, "a").Next()
	want := `"a" escapes half of a surrogate pair, expected text that UTF-8 can hold`
	if err != nil || rec.Problem == nil || rec.Problem.Rule != contracts.RuleEncoding || rec.Problem.Reason != want {
		t.Errorf("half a pair: %v %+v", err, rec.Problem)
	}
}

// FuzzScan holds the scanner against encoding/json: what is JSON, and what its texts are.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":"\ud83d\ude00"}`, `{"a":[1,{}],"a":-0.1e5}`, `{"a":"\u00"}`, "{\"a\":\"\xff\"}", `{"":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsAny(line, "\r\n") || bytes.Count(line, []byte("[")) >= maxDepth ||
			bytes.Count(line, []byte("{")) >= maxDepth/2 {
			return
		}
		r := open("", "a")
		p := r.scan(line)
		trimmed := bytes.Trim(line, " \t")
		valid := json.Valid(line) && bytes.HasPrefix(trimmed, []byte("{"))
		if valid != (p == nil) {
			t.Fatalf("%q: problem %+v, expected valid %v", line, p, valid)
		}
		if !valid {
			return
		}
		if _, err := fastjson.ParseBytes(line); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if r.fill() == nil {
			sameText(t, line, r.fields[0])
		}
	})
}

func sameText(t *testing.T, line []byte, f contracts.Field) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal(line, &want); err != nil || !json.Valid(line) {
		return // a number that float64 cannot hold
	}
	text, isText := want["a"].(string)
	if bytes.Count(line, []byte("a")) != 1 || bytes.Contains(line, []byte(`\u`)) {
		return // encoding/json merges what it reads twice, and replaces half a surrogate pair
	}
	if isText != (f.Kind == contracts.Text) || isText && strings.ToValidUTF8(string(f.Bytes), "\ufffd") != text &&
		!strings.Contains(text, "\ufffd") {
		t.Fatalf("%q: %v %q, expected %q", line, f.Kind, f.Bytes, text)
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	src := strings.NewReader(strings.Repeat(`{"id":"d\u0031","n":12,"o":{"x":[1,2]},"on":true}`+"\n", 6000))
	r := NewReader(lines.New(src, lines.Options{MaxRecord: 1 << 20}), []string{"id", "n", "o.x", "on", "no"})
	if n := testing.AllocsPerRun(5000, func() {
		if rec, err := r.Next(); err != nil || rec.Problem != nil {
			t.Fatal(err, rec.Problem)
		}
	}); n > 0 {
		t.Errorf("%v allocations per record, expected none", n)
	}
}

func BenchmarkReader(b *testing.B) {
	line := `{"device_id":"device-00017","ts":"2026-01-01T00:00:00.017Z","seq":17,"state":"on","note":"some words here",` +
		`"level":12.5,"tags":["x","y"],"extra":null}` + "\n"
	data := []byte(strings.Repeat(line, 1<<20/len(line)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	report := testenv.PerCPU(b)
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		r := NewReader(lines.New(bytes.NewReader(data), lines.Options{MaxRecord: 1 << 20}),
			[]string{"device_id", "ts", "seq", "state", "level"})
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(start))
	}
	report(len(data))
	b.ReportMetric(float64(len(data))/1e6/best.Seconds(), "MB/s-best")
}
