package ndjson

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
)

// asked are the inputs of the tests below: names of all depths, with and without literal dots.
var asked = []string{"a", "b", "o.x", "o", "a.b", "é", "o.x.y"}

// sameAsScanner reads lines one after another, by quick and by the scanner alone: the same fields, and quick knows no
// line that the scanner refuses.
func sameAsScanner(t *testing.T, text string) {
	t.Helper()
	quick, slow := open("", asked...), open("", asked...)
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		problem, want := quick.scan([]byte(line)), slow.slow([]byte(line))
		if problem == nil && want == nil {
			problem, want = quick.fill(), slow.fill()
		}
		if !reflect.DeepEqual(problem, want) {
			t.Fatalf("%q in %q:\n got %+v\nwant %+v", line, text, problem, want)
		}
		if problem == nil && !reflect.DeepEqual(quick.fields, slow.fields) {
			t.Fatalf("%q in %q:\n got %q\nwant %q", line, text, show(quick.fields), show(slow.fields))
		}
	}
}

// FuzzQuick holds quick against the scanner.
func FuzzQuick(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(randomLines(rnd, 8))
	}
	f.Add(strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth))
	f.Add(strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1))
	f.Add(`{"a":"\u00e9","o":{"x":"\ud800"},"b":[1,{}]}` + "\n" + `{"a":"12345678\u12","b":01}`)
	f.Fuzz(sameAsScanner)
}

func TestQuickFindsWhatTheScannerFinds(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		sameAsScanner(t, randomLines(rnd, 20))
	}
}

// randomLines are objects of names that come and go; some lines are not in order.
func randomLines(rnd *rand.Rand, n int) string {
	names := []string{"a", "b", "o", "a.b", `\u0061`, "é", `\u00e9`, "x", "a name that nobody asks for", ""}
	var doc strings.Builder
	for range n {
		line := randomObject(rnd, names, 3)
		for rnd.IntN(6) == 0 && len(line) > 0 { // out of order
			at, odd := rnd.IntN(len(line)), "\"\\{}[]:,0.eE+-u \t\x00\x1f\x7f\xff"
			line = line[:at] + odd[rnd.IntN(len(odd)):][:1] + line[at+rnd.IntN(2):]
		}
		doc.WriteString(line + "\n")
	}
	return doc.String()
}

func randomObject(rnd *rand.Rand, names []string, depth int) string {
	blank := func() string { return []string{"", "", "", " ", "\t "}[rnd.IntN(5)] }
	var members []string
	for i := range names {
		if rnd.IntN(2) == 0 {
			name := names[min(i+rnd.IntN(10)/9, len(names)-1)] // now and then twice
			members = append(members, blank()+`"`+name+`"`+blank()+":"+blank()+randomValue(rnd, names, depth)+blank())
		}
	}
	return blank() + "{" + strings.Join(members, ",") + "}" + blank()
}

func randomValue(rnd *rand.Rand, names []string, depth int) string {
	if depth > 0 && rnd.IntN(3) == 0 {
		inner := randomObject(rnd, append([]string{"x", "y"}, names[:2]...), depth-1)
		return []string{inner, inner, "[" + inner + ", " + randomValue(rnd, names, depth-1) + " ]", "[ ]"}[rnd.IntN(4)]
	}
	values := []string{
		"0", "-1.50e+3", "12345678901234567890", "true", "false", "null", `""`, `"\u00e9\ud83d\ude00"`, `"\ud800"`,
		fmt.Sprintf("%q", strings.Repeat("x", rnd.IntN(20))), `"say \"so\" \\"`, `"é ÿ ` + "\x80\xff" + `"`,
	}
	return values[rnd.IntN(len(values))]
}

func TestNamesAreRememberedWithinBounds(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	for i := range 2 * maxNames {
		fmt.Fprintf(&doc, `{"n%d":1,"%s":2,"b":%d}`+"\n", i, strings.Repeat("x", maxName), i)
	}
	r := NewReader(lines.New(strings.NewReader(doc.String()), lines.Options{MaxRecord: 1 << 20}), []string{"b"})
	for i := range 2 * maxNames {
		rec, err := r.Next()
		if err != nil || rec.Problem != nil || rec.Fields[0].Kind != contracts.Number ||
			string(rec.Fields[0].Bytes) != fmt.Sprint(i) {
			t.Fatalf("line %d: %v %+v", i, err, rec)
		}
	}
	if n := len(r.root.order.known); n != maxNames {
		t.Errorf("%d names are known, expected %d", n, maxNames)
	}
}
