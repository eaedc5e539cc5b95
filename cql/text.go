package cql

import (
	"bytes"
	"fmt"
	"net/netip"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// appendString checks text for what no CQL client could read back: bytes that are not UTF-8 (or not ASCII), and NUL,
// which is the mark of UTF-16 and of binary data read as text.
func appendString(dst, text []byte, ascii bool) ([]byte, *Problem) {
	if at := bytes.IndexByte(text, 0); at >= 0 {
		return dst, encodingProblem(text, at, "a NUL byte")
	}
	if !ascii && utf8.Valid(text) {
		return append(dst, text...), nil
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return dst, encodingProblem(text, at, fmt.Sprintf("0x%02x, which is no UTF-8 here", text[at]))
		case ascii && r >= utf8.RuneSelf:
			return dst, &Problem{contracts.RuleEncoding,
				fmt.Sprintf("byte %d is part of %q: expected ASCII (a text column takes all of Unicode)", at+1, r)}
		}
		at += size
	}
	return append(dst, text...), nil
}

func encodingProblem(text []byte, at int, found string) *Problem {
	hint := "is it Latin-1 or Windows-1252? convert it, for instance with iconv"
	if bytes.IndexByte(text, 0) >= 0 || text[at] >= 0xfe {
		hint = "is it UTF-16 or binary? convert it, for instance with iconv"
	}
	return &Problem{contracts.RuleEncoding,
		fmt.Sprintf("byte %d is %s: expected UTF-8 without NUL (%s)", at+1, found, hint)}
}

func appendBoolean(dst, text []byte) ([]byte, *Problem) {
	switch {
	case len(text) == 1 && text[0] == '1', isFold(text, "true"):
		return append(dst, 1), nil
	case len(text) == 1 && text[0] == '0', isFold(text, "false"):
		return append(dst, 0), nil
	default:
		return dst, mismatch(text, "a boolean", "true, false, 1 or 0")
	}
}

// isFold compares with a lower-case ASCII word.
func isFold(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

func appendBlob(dst, text []byte) ([]byte, *Problem) {
	const expected = "0x and an even number of hex digits, such as 0xcafe"
	if len(text) < 2 || len(text)%2 != 0 || text[0] != '0' || text[1]|0x20 != 'x' {
		return dst, mismatch(text, "a blob", expected)
	}
	out, ok := appendHex(dst, text[2:])
	if !ok {
		return dst, mismatch(text, "a blob", expected)
	}
	return out, nil
}

// appendHex decodes pairs of hex digits; len(text) is even.
func appendHex(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i += 2 {
		hi, lo := nibble(text[i]), nibble(text[i+1])
		if hi > 15 || lo > 15 {
			return dst, false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

// nibble is a hex digit's value; 255 for any other byte.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	default:
		return 255
	}
}

func (t Type) appendUUID(dst, text []byte) ([]byte, *Problem) {
	const expected = "8-4-4-4-12 hex digits, such as 123e4567-e89b-12d3-a456-426614174000"
	what := "a uuid"
	if t.Kind == TimeUUID {
		what = "a timeuuid"
	}
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return dst, mismatch(text, what, expected)
	}
	out := dst
	for _, group := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		var ok bool
		if out, ok = appendHex(out, text[group[0]:group[1]]); !ok {
			return dst, mismatch(text, what, expected)
		}
	}
	if version := text[14]; t.Kind == TimeUUID && version != '1' {
		return dst, typeProblem("%s is a UUID of version %c: expected version 1 (a uuid column takes all)",
			quoted(text), version)
	}
	return out, nil
}

func appendInet(dst, text []byte) ([]byte, *Problem) {
	if addr, ok := parseIPv4(text); ok {
		return append(dst, addr[:]...), nil
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil || addr.Zone() != "" {
		return dst, mismatch(text, "an inet", "an IP address without a zone, such as 192.0.2.1 or 2001:db8::1")
	}
	if addr = addr.Unmap(); addr.Is4() {
		b := addr.As4()
		return append(dst, b[:]...), nil
	}
	b := addr.As16()
	return append(dst, b[:]...), nil
}

// parseIPv4 spares IPv4 addresses, of which logs are full, the string that netip wants.
func parseIPv4(text []byte) (addr [4]byte, ok bool) {
	for i := range addr {
		part, rest, more := bytes.Cut(text, []byte("."))
		value, _, _ := parseInt(part)
		if !isDigits(part) || len(part) > 3 || value > 255 || len(part) > 1 && part[0] == '0' || more != (i < 3) {
			return addr, false
		}
		addr[i], text = byte(value), rest
	}
	return addr, true
}
