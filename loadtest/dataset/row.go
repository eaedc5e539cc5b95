package dataset

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// seed of all files. Another one makes other files of the same kind.
const seed = 5

// firstReading is when row 0 was taken; each further one is a millisecond later.
var firstReading = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// row is one reading. seq is its number, so that no two rows have one key.
type row struct {
	device      int64
	seq         int64
	status      string
	temperature float64
	pressure    float64
	total       int64
	valid       bool
	note        string
	trace       [16]byte
}

// source makes the rows of a set, in any order.
type source struct {
	set    Set
	pcg    rand.PCG
	random *rand.Rand
	text   string // that long notes are cut from
}

func newSource(set Set) *source {
	s := &source{set: set}
	s.random = rand.New(&s.pcg)
	if set.NoteBytes > 0 {
		s.text = s.words(64 << 10)
	}
	return s
}

// device is the partition of row i.
func (s *source) device(i int64) int64 {
	s.pcg.Seed(seed, uint64(i))
	if s.set.Order == Unique {
		return i
	}
	return s.random.Int64N(s.set.Partitions)
}

// at is row i.
func (s *source) at(i int64) row {
	r := row{device: s.device(i), seq: i}
	r.status = statuses[s.random.IntN(len(statuses))]
	r.temperature = float64(s.random.Int64N(60_000))/1000 - 20
	r.pressure = 950 + float64(s.random.Int64N(1000))/10
	r.total = s.random.Int64N(1_000_000)
	r.valid = s.random.IntN(8) > 0
	r.note = s.note()
	for j := range r.trace {
		r.trace[j] = byte(s.random.Uint32())
	}
	r.trace[6] = r.trace[6]&0x0f | 0x40 // a random UUID
	r.trace[8] = r.trace[8]&0x3f | 0x80
	return r
}

func (s *source) note() string {
	if n := s.set.NoteBytes; n > 0 {
		from := s.random.IntN(len(s.text) - n)
		return s.text[from : from+n]
	}
	return notes[s.random.IntN(len(notes))]
}

// words is a text of so many bytes or a few more.
func (s *source) words(size int) string {
	s.pcg.Seed(seed, 1<<63)
	var b []byte
	for len(b) < size {
		b = append(append(b, notes[s.random.IntN(len(notes))]...), '-')
		b = append(strconv.AppendUint(b, s.random.Uint64N(1e6), 36), '-')
	}
	return string(b)
}

var (
	statuses = []string{"ok", "warn", "fault", "idle"}
	notes    = []string{"calm", "steady", "rising", "falling", "gusts", "calibrated"}
)

// header is the first line of a CSV file.
func header() []byte {
	var b []byte
	for _, c := range Columns() {
		b = append(append(b, c.Name...), ',')
	}
	return append(b[:len(b)-1], '\n')
}

func (r row) appendCSV(b []byte) []byte {
	b = append(r.appendDevice(b), ',')
	b = append(r.appendTime(b), ',')
	b = append(strconv.AppendInt(b, r.seq, 10), ',')
	b = append(append(b, r.status...), ',')
	b = append(strconv.AppendFloat(b, r.temperature, 'f', 3, 64), ',')
	b = append(strconv.AppendFloat(b, r.pressure, 'f', 1, 64), ',')
	b = append(strconv.AppendInt(b, r.total, 10), ',')
	b = append(strconv.AppendBool(b, r.valid), ',')
	b = append(append(b, r.note...), ',')
	return append(r.appendTrace(b), '\n')
}

func (r row) appendNDJSON(b []byte) []byte {
	b = append(r.appendDevice(append(b, `{"device":"`...)), `","ts":"`...)
	b = append(r.appendTime(b), `","seq":`...)
	b = append(strconv.AppendInt(b, r.seq, 10), `,"status":"`...)
	b = append(append(b, r.status...), `","temperature":`...)
	b = append(strconv.AppendFloat(b, r.temperature, 'f', 3, 64), `,"pressure":`...)
	b = append(strconv.AppendFloat(b, r.pressure, 'f', 1, 64), `,"total":`...)
	b = append(strconv.AppendInt(b, r.total, 10), `,"valid":`...)
	b = append(strconv.AppendBool(b, r.valid), `,"note":"`...)
	b = append(append(b, r.note...), `","trace":"`...)
	return append(r.appendTrace(b), "\"}\n"...)
}

func (r row) appendDevice(b []byte) []byte {
	const digits = 7
	text := strconv.AppendInt(make([]byte, 0, 20), r.device, 10)
	b = append(b, 'd')
	for range digits - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

func (r row) appendTime(b []byte) []byte {
	return firstReading.Add(time.Duration(r.seq)*time.Millisecond).AppendFormat(b, "2006-01-02T15:04:05.000Z")
}

func (r row) appendTrace(b []byte) []byte {
	for i, from := range []int{0, 4, 6, 8, 10} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, r.trace[from:[]int{4, 6, 8, 10, 16}[i]])
	}
	return b
}
