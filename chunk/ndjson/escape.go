package ndjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends a string's text, from between its quotes, to dst. Its escapes are in order; false says that one is
// half of a surrogate pair, which no UTF-8 text can hold.
func unescape(dst, b []byte) ([]byte, bool) {
	ok := true
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(dst, b...), ok
		}
		dst = append(dst, b[:i]...)
		c := b[i+1]
		if c != 'u' {
			dst = append(dst, short(c))
			b = b[i+2:]
			continue
		}
		r, n := unicode(b[i:])
		ok = ok && r >= 0
		dst = utf8.AppendRune(dst, r)
		b = b[i+n:]
	}
}

// short is what a two-byte escape stands for.
func short(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}

// unicode reads one \u escape, or two that are a surrogate pair, and says how many bytes they take. The character of
// half a pair is -1.
func unicode(b []byte) (rune, int) {
	r := code(b)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if pair := utf16.DecodeRune(r, code(b[6:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return -1, 6
}

// code is the number of a \u escape.
func code(b []byte) rune {
	r := rune(0)
	for _, c := range b[2:6] {
		r = r<<4 | rune(hex(c))
	}
	return r
}

// hex is a hexadecimal digit's value; -1 for another byte.
func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
