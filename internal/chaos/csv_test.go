package chaos

// readCSV reads CSV a byte at a time, by the words of docs/interface.md: a quote opens only as a field's first byte; a
// closing quote is one that the escape does not precede, or that is not doubled; LF, CRLF and a lone CR end a record
// outside quotes; blank lines and comments are no records.
func readCSV(d dialect, text []byte) []record {
	p := &csvParser{d: d, text: text}
	width := 0
	var all []record
	for p.at < len(text) {
		if p.lineBreak() {
			continue
		}
		if d.comment && text[p.at] == '#' {
			p.skipLine()
			continue
		}
		start := p.at
		row, bad := p.record()
		if width == 0 {
			width = len(row)
			if d.header {
				continue
			}
		}
		r := record{offset: int64(start), bad: bad || len(row) != width, cells: map[string]cell{}}
		for i, c := range row {
			if i < len(fields) {
				r.cells[fields[i]] = c
			}
		}
		all = append(all, r)
	}
	return all
}

type csvParser struct {
	d    dialect
	text []byte
	at   int
}

// lineBreak passes over one line break; false where there is none.
func (p *csvParser) lineBreak() bool {
	if p.at < len(p.text) && (p.text[p.at] == '\n' || p.text[p.at] == '\r') {
		p.at++
		return true
	}
	return false
}

func (p *csvParser) skipLine() {
	for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
		p.at++
	}
}

// delimiter passes over a delimiter; false where there is none.
func (p *csvParser) delimiter() bool {
	n := len(p.d.delimiter)
	if p.at+n <= len(p.text) && string(p.text[p.at:p.at+n]) == p.d.delimiter {
		p.at += n
		return true
	}
	return false
}

// record reads one record and stops at the line break that ends it. bad: something follows a closing quote.
func (p *csvParser) record() (row []cell, bad bool) {
	for {
		c, garbage := p.field()
		row, bad = append(row, c), bad || garbage
		if !p.delimiter() {
			return row, bad
		}
	}
}

func (p *csvParser) field() (c cell, garbage bool) {
	c.set = true
	if p.at < len(p.text) && p.text[p.at] == '"' {
		p.at++
		c.text = p.quoted()
		return c, p.rest() != ""
	}
	c.text = p.rest()
	c.null = c.text == ""
	return c, false
}

// rest reads up to the next delimiter or line break.
func (p *csvParser) rest() string {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
		before := p.at
		if p.delimiter() {
			p.at = before
			break
		}
		p.at++
	}
	return string(p.text[start:p.at])
}

// quoted reads a quoted value behind its opening quote, and its closing quote.
func (p *csvParser) quoted() string {
	var value []byte
	next := func() byte {
		if p.at+1 < len(p.text) {
			return p.text[p.at+1]
		}
		return 0
	}
	for ; p.at < len(p.text); p.at++ {
		b := p.text[p.at]
		switch {
		case b == p.d.escape && (next() == '"' || next() == p.d.escape):
			p.at++
			value = append(value, p.text[p.at])
		case b == '"':
			p.at++
			return string(value)
		default:
			value = append(value, b)
		}
	}
	return string(value)
}
