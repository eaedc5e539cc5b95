package csv

import (
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func headed(change func(*contracts.CSVFormat)) contracts.CSVFormat {
	f := standard()
	f.Header = true
	if change != nil {
		change(&f)
	}
	return f
}

func TestReadHead(t *testing.T) {
	t.Parallel()
	skip2 := headed(func(c *contracts.CSVFormat) { c.Skip = 2 })
	tests := map[string]struct {
		format contracts.CSVFormat
		src    string
		want   Head
	}{
		"header":             {headed(nil), "a,b\n1,2\n", Head{4, []string{"a", "b"}, 2}},
		"CRLF":               {headed(nil), "a,b\r\n1,2\r\n", Head{5, []string{"a", "b"}, 2}},
		"lone CR":            {headed(nil), "a,b\r1,2\r", Head{4, []string{"a", "b"}, 2}},
		"no line break":      {headed(nil), "a,b", Head{3, []string{"a", "b"}, 2}},
		"quoted line break":  {headed(nil), "\"a\nb\",\"c\"\"\"\n1,2\n", Head{12, []string{"a\nb", `c"`}, 2}},
		"BOM":                {headed(nil), "\xef\xbb\xbfa,b\n1,2", Head{7, []string{"a", "b"}, 2}},
		"BOM, quoted":        {headed(nil), "\xef\xbb\xbf\"a\",b\n1,2", Head{9, []string{"a", "b"}, 2}},
		"blank lines":        {headed(nil), "\n\r\na\n", Head{5, []string{"a"}, 1}},
		"skipped lines":      {skip2, "x \"y\r\n\r\na,b\n1,2\n", Head{12, []string{"a", "b"}, 2}},
		"skipped by CR":      {skip2, "x\ry\ra,b\n1,2\n", Head{8, []string{"a", "b"}, 2}},
		"skipped to the end": {skip2, "x", Head{1, nil, 0}},
		"comment": {headed(func(c *contracts.CSVFormat) { c.Comment = "#" }), "#c\n#d\na\n",
			Head{8, []string{"a"}, 1}},
		"trim": {headed(func(c *contracts.CSVFormat) { c.Trim = true }), " a ,b\t\n", Head{7, []string{"a", "b"}, 2}},
		"names are never null": {headed(func(c *contracts.CSVFormat) { c.Null = []string{"a", ""} }), "a,,b\n",
			Head{5, []string{"a", "", "b"}, 3}},
		"empty":            {headed(nil), "", Head{}},
		"blank":            {headed(nil), "\n\n", Head{2, nil, 0}},
		"without a header": {standard(), "a,b,c\nd\n", Head{0, nil, 3}},
		"without, skipped": {headed(func(c *contracts.CSVFormat) { c.Header, c.Skip = false, 1 }), "x\n1,2\n",
			Head{2, nil, 2}},
		"without, odd first": {standard(), "\"a\"b,c\n", Head{0, nil, 2}},
		"without, BOM":       {standard(), "\xef\xbb\xbfa,b\n", Head{3, nil, 2}},
		"without, empty":     {standard(), "", Head{}},
		"two bytes of delimiter": {headed(func(c *contracts.CSVFormat) { c.Delimiter = "||" }), "a||b|c\n",
			Head{7, []string{"a", "b|c"}, 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mustDialect(t, tt.format).ReadHead(strings.NewReader(tt.src), "/a.csv", 1000)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestHeadErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ src, want string }{
		"UTF-16":         {"\xff\xfea\x00", "/a.csv: byte 0: found the byte order mark of UTF-16, expected UTF-8: convert"},
		"UTF-16, big":    {"\xfe\xff\x00a", "/a.csv: byte 0: found the byte order mark of UTF-16"},
		"unclosed quote": {"a,\"b\n1,2\n", "/a.csv: byte 2: quote opened here is never closed"},
		"garbage":        {"a,\"b\"c\n1,2\n", `/a.csv: byte 5: header cannot be read: byte 5 of the record: found "c" after`},
		"long":           {strings.Repeat("a", 2000) + "\n", "/a.csv: byte 0: header of 2000 bytes, expected at most 1000"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mustDialect(t, headed(nil)).ReadHead(strings.NewReader(tt.src), "/a.csv", 1000)
			if contracts.KindOf(err) != contracts.KindInput || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %v\nexpected an input error with: %s", err, tt.want)
			}
		})
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	abc := Head{DataOffset: 9, Names: []string{"id", "ts", "x", "x"}, Width: 4}
	tests := map[string]struct {
		head   Head
		format contracts.CSVFormat
		inputs []string
		strict bool
		want   []int
	}{
		"by name":              {abc, headed(nil), []string{"ts", "id"}, false, []int{1, 0}},
		"strict lets one lack": {Head{1, []string{"id"}, 1}, headed(nil), []string{"ts", "id"}, true, []int{-1, 0}},
		"no header, no record": {Head{DataOffset: 3}, standard(), []string{"2"}, false, []int{-1}},
		"by position":          {Head{Width: 3}, standard(), []string{"2", "0"}, false, []int{2, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.head.Bind("/a.csv", tt.format, tt.inputs, tt.strict)
			want := contracts.Binding{DataOffset: tt.head.DataOffset, Width: tt.head.Width, Positions: tt.want}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestBindErrorsSayWhatWasFound(t *testing.T) {
	t.Parallel()
	named := func(names ...string) Head { return Head{Names: names, Width: len(names)} }
	tests := map[string]struct {
		head   Head
		format contracts.CSVFormat
		inputs []string
		strict bool
		want   string
	}{
		"missing": {named("idd", "ts"), headed(nil), []string{"id"}, false,
			`/a.csv: header lacks "id": found "idd", "ts"; is it "idd"?`},
		"missing, other case": {named("ID"), headed(nil), []string{"id"}, false, `is it "ID"?`},
		"missing, no idea": {named("a", "b"), headed(nil), []string{"a", "device"}, false,
			`header lacks "device": found "a", "b"`},
		"all missing": {named("17", "4"), headed(nil), []string{"device", "level"}, false,
			"header lacks \"device\", \"level\": found \"17\", \"4\"; where files have no header, set csv.header: false"},
		"ZIP": {named("PK\x03\x04\x14"), headed(nil), []string{"device"}, false, `as a ZIP does: unpack it`},
		"delimiter": {named("id;ts"), headed(nil), []string{"id"}, false,
			`the header is one field that holds ";": is csv.delimiter "," right?`},
		"empty file": {Head{}, headed(nil), []string{"id"}, false,
			`/a.csv: byte 0: the file is empty: expected a header line that names "id"`},
		"duplicate": {named("id", "x", "id"), headed(nil), []string{"id"}, false,
			`header has "id" twice, as fields 1 and 3 of 3`},
		"strict": {named("id", "lvel"), headed(nil), []string{"id", "level"}, true,
			`header has "lvel" as field 2, which is no column: expected only "id", "level"; is it "level"?`},
		"position": {Head{Width: 2}, standard(), []string{"2"}, false,
			`/a.csv: byte 0: first record has 2 fields, expected at least 3`},
		"not a position": {Head{Width: 2}, standard(), []string{"id"}, false,
			`input "id": expected a field's position from 0, because csv.header is false`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.head.Bind("/a.csv", tt.format, tt.inputs, tt.strict)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %v\nexpected: %s", err, tt.want)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	h := Head{Names: []string{"id"}, Width: 1}
	if err := h.Require("/a.csv", headed(nil), []string{"id"}); err != nil {
		t.Error(err)
	}
	if err := h.Require("/a.csv", headed(nil), []string{"id", "seq"}); contracts.KindOf(err) != contracts.KindInput {
		t.Errorf("found %v, expected that seq is missing", err)
	}
	if err := (Head{}).Require("/a.csv", headed(nil), []string{"id"}); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}
