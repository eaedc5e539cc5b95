package reference

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/penstock-io/penstock/contracts"
)

// JSON reads a line of NDJSON by encoding/json, which is slow and knows all rules but that half a surrogate pair is no
// text: an input that holds one is a reject.
func JSON(line []byte, inputs []string) ([]string, contracts.Rule) {
	var object map[string]json.RawMessage
	if !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{")) || json.Unmarshal(line, &object) != nil {
		return nil, contracts.RuleSyntax
	}
	fields := make([]string, len(inputs))
	for i, name := range inputs {
		var ok bool
		if fields[i], ok = value(find(object, name)); !ok {
			return nil, contracts.RuleEncoding
		}
	}
	return fields, ""
}

// find is the value of a name, or of a path with dots; nil for none. A name that holds the dots itself goes first.
func find(object map[string]json.RawMessage, name string) json.RawMessage {
	if v, ok := object[name]; ok {
		return v
	}
	first, rest, deeper := strings.Cut(name, ".")
	for ; deeper; first, rest, deeper = strings.Cut(rest, ".") {
		v := object[first]
		object = nil
		if !bytes.HasPrefix(v, []byte("{")) || json.Unmarshal(v, &object) != nil {
			return nil
		}
	}
	return object[first]
}

// value writes down a value; false where it is text that UTF-8 cannot hold.
func value(v json.RawMessage) (string, bool) {
	if len(v) == 0 {
		return field(contracts.Missing, ""), true
	}
	switch v[0] {
	case 'n':
		return field(contracts.Null, ""), true
	case 't', 'f':
		return field(contracts.Bool, string(v)), true
	case '{', '[':
		return field(contracts.JSON, string(v)), true
	case '"':
		text, ok := unescape(string(v[1 : len(v)-1]))
		return field(contracts.Text, text), ok
	default:
		return field(contracts.Number, string(v)), true
	}
}

// unescape gives a string's text. encoding/json would replace bytes that are not UTF-8, so it is asked for the escapes
// alone.
func unescape(s string) (text string, ok bool) {
	ok = true
	escapes := regexp.MustCompile(`(?s)\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.`)
	text = escapes.ReplaceAllStringFunc(s, func(e string) string {
		if len(e) == 6 {
			code, err := strconv.ParseUint(e[2:], 16, 16)
			ok = ok && err == nil && !utf16.IsSurrogate(rune(code))
		}
		var one string
		ok = json.Unmarshal([]byte(`"`+e+`"`), &one) == nil && ok
		return one
	})
	return text, ok
}
