package verify

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	plain, set := cql.Column{Type: cql.Type{Kind: cql.Text}}, cql.Column{Type: cql.Type{
		Kind: cql.Set, Elems: []cql.Type{{Kind: cql.Text}},
	}}
	a, b, null := cql.Value{Bytes: []byte("a")}, cql.Value{Bytes: []byte("b")}, cql.Value{}
	for _, c := range []struct {
		name    string
		column  cql.Column
		want    cql.Value
		found   cql.Value
		foundAt int64
		verdict Verdict
	}{
		{"as written", plain, a, a, 5, Right},
		{"another value of the time", plain, a, b, 5, Differs},
		{"written later", plain, a, b, 6, Superseded},
		{"the same value written later", plain, a, a, 6, Superseded},
		{"an older value", plain, a, b, 4, Missing},
		{"an older value that is equal", plain, a, a, 4, Missing},
		{"a value without a time", plain, a, a, 0, Missing},
		{"nothing", plain, a, null, 0, Missing},
		{"deleted later", plain, a, null, 6, Superseded},
		{"deleted at the time", plain, a, null, 5, Differs},
		{"an empty value is a value", plain, cql.Value{Bytes: []byte{}}, null, 0, Missing},
		{"a null and nothing", plain, null, null, 0, Right},
		{"a null and an older deletion", plain, null, null, 4, Right},
		{"a null over an older value", plain, null, a, 4, Missing},
		{"a null beside a value of the time", plain, null, a, 5, Differs},
		{"a null under a later value", plain, null, a, 6, Superseded},
		{"a collection whose time nobody knows", set, a, a, 0, Right},
		{"another collection whose time nobody knows", set, a, b, 0, Missing},
	} {
		if v := judge(c.column, c.want, 5, c.found, c.foundAt); v != c.verdict {
			t.Errorf("%s: %s, expected %s", c.name, v, c.verdict)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	double, udt := cql.Type{Kind: cql.Double}, cql.Type{Kind: cql.UDT}
	one := cql.AppendValue(nil, []byte("x"))
	grown := cql.AppendNull(cql.AppendNull(cql.AppendValue(nil, []byte("x"))))
	for _, c := range []struct {
		name string
		typ  cql.Type
		a, b []byte
		same bool
	}{
		{"zeros", double, make([]byte, 8), []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, true},
		{"a zero and a small number", double, make([]byte, 8), []byte{0, 0, 0, 0, 0, 0, 0, 1}, false},
		{"signs of a number", double, []byte{0x40, 0, 0, 0, 0, 0, 0, 0}, []byte{0xc0, 0, 0, 0, 0, 0, 0, 0}, false},
		{"a type that has grown", udt, one, grown, true},
		{"another field", udt, one, cql.AppendValue(grown[:len(one):len(one)], []byte("y")), false},
		{"an empty value and none", cql.Type{Kind: cql.Text}, []byte{}, nil, false},
	} {
		if got := same(c.typ, c.a, c.b); got != c.same {
			t.Errorf("%s: %t, expected %t", c.name, got, c.same)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	long := *text(cql.Type{Kind: cql.Text}, []byte(strings.Repeat("ü", 1000)))
	if len(long) > maxText+len("…") || !strings.HasSuffix(long, "ü…") {
		t.Errorf("%d bytes, ending in %q", len(long), long[len(long)-6:])
	}
	if broken := *text(cql.Type{Kind: cql.Int}, []byte{1, 2}); broken != "0x0102" {
		t.Errorf("bytes that are no int: %q", broken)
	}
	if text(cql.Type{Kind: cql.Text}, nil) != nil {
		t.Error("no value has a text")
	}
}

func TestSampleIsSpreadAndStable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ total, n, want int }{
		{0, 16, 0}, {1, 16, 1}, {16, 16, 16}, {17, 16, 16}, {5, 0, 5}, {100_000, 16, 16},
	} {
		first, again := sample("job", c.total, c.n), sample("job", c.total, c.n)
		if len(first) != c.want {
			t.Errorf("%d of %d: %d chunks, expected %d", c.n, c.total, len(first), c.want)
		}
		for i, n := range first {
			if n != again[i] {
				t.Errorf("%d of %d: chunk %d, and then %d", c.n, c.total, n, again[i])
			}
			if stretch := n * max(c.want, 1) / max(c.total, 1); n < 0 || n >= c.total || stretch != i && stretch != i-1 {
				t.Errorf("%d of %d: the %d. chunk is %d, in stretch %d", c.n, c.total, i, n, stretch)
			}
		}
	}
	if a, b := sample("one", 100_000, 16), sample("two", 100_000, 16); a[0] == b[0] && a[1] == b[1] && a[2] == b[2] {
		t.Errorf("two jobs have the sample %v", a)
	}
}
