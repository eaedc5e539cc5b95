package contracts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
)

// Marshal encodes a message or document as msgpack, with the keys of its JSON form.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.SetCustomStructTag("json")
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, Errorf(KindInternal, "encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// versioned reads a message's version before its shape is trusted.
type versioned struct {
	V int `json:"v"`
}

// Unmarshal decodes JSON or msgpack; the first byte tells. A newer version is refused, an unknown field is passed over.
func Unmarshal(data []byte, v any) error {
	if len(data) == 0 {
		return Errorf(KindInput, "decode %T: empty message: expected JSON or msgpack", v)
	}
	var head versioned
	if err := decode(data, &head); err != nil {
		return Errorf(KindInput, "decode %T: %w", v, err)
	}
	if head.V > Version {
		return Errorf(KindConfig, "decode %T: version %d is %w than %d: upgrade this process", v, head.V, ErrNewer, Version)
	}
	if err := decode(data, v); err != nil {
		return Errorf(KindInput, "decode %T: %w", v, err)
	}
	return nil
}

// CheckReader refuses what is to be read in a way that this code does not know, with an error that is ErrNewer.
func CheckReader(what string, reader int) error {
	if reader <= Reader {
		return nil
	}
	return Errorf(KindConfig, "%s: its reader %d is %w than %d: upgrade this process", what, reader, ErrNewer, Reader)
}

func decode(data []byte, v any) error {
	if isJSON(data) {
		return json.Unmarshal(data, v)
	}
	dec := msgpack.NewDecoder(bytes.NewReader(data))
	dec.SetCustomStructTag("json")
	err := dec.Decode(v)
	if err != nil && data[0] < 0x80 { // plain text: what msgpack makes of it helps nobody
		return fmt.Errorf("found %q: expected a JSON object, or a map in msgpack", data[:min(len(data), 20)])
	}
	return err
}

// isJSON tells an object in JSON from a msgpack map, whose first byte is 0x80–0x8f, 0xde or 0xdf.
func isJSON(data []byte) bool {
	b := bytes.TrimLeft(data, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

// RuleCounts are rejects by rule.
type RuleCounts map[Rule]int64

// EncodeMsgpack writes the rules in order, so that equal counts have equal bytes, as in JSON.
func (c RuleCounts) EncodeMsgpack(enc *msgpack.Encoder) error {
	if c == nil {
		return enc.EncodeNil()
	}
	if err := enc.EncodeMapLen(len(c)); err != nil {
		return err
	}
	for _, rule := range slices.Sorted(maps.Keys(c)) {
		if err := enc.EncodeString(string(rule)); err != nil {
			return err
		}
		if err := enc.EncodeInt(c[rule]); err != nil {
			return err
		}
	}
	return nil
}
