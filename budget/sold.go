package budget

import (
	"encoding/json"
	"time"
)

const (
	// slice is the least time that is bought at once: the keeper is asked ten times a second for each pipeline, however
	// many processes there are.
	slice = 100 * time.Millisecond
	// late is how long time that nobody wanted can still be bought, and kept how long what a process has left of a slice
	// can still be spent. The two and a slice make a second: what may be written at once after a pause.
	late = 500 * time.Millisecond
	kept = 400 * time.Millisecond
	// ahead is how far ahead time is sold, and so how much is written twice over when what is shared is lost.
	ahead = time.Second
	// strange is from where on an instant is by another clock than the keeper's of now: it was set, or the value was
	// brought back. Less than that may be the network's delay.
	strange = ahead + 10*time.Second
)

// sold is the shared value: the slice that was sold last, by the keeper's clock. The zero value is none.
type sold struct {
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
}

// parse reads a value. What cannot be read counts as lost.
func parse(value []byte) sold {
	var s sold
	if json.Unmarshal(value, &s) != nil {
		return sold{}
	}
	return s
}

func (s sold) bytes() []byte {
	value, err := json.Marshal(s)
	if err != nil {
		panic("budget: two instants have no JSON: " + err.Error())
	}
	return value
}

// sell sells the next slice of a length. Where as much is sold ahead as may be, it gives the time until it is less.
func (s sold) sell(now time.Time, length time.Duration) (next sold, wait time.Duration) {
	begin := s.End
	if s.End.IsZero() || s.Begin.Sub(now) > strange {
		begin = now
	}
	if oldest := now.Add(-late); begin.Before(oldest) {
		begin = oldest
	}
	if wait = begin.Sub(now) - ahead; wait > 0 {
		return s, wait
	}
	return sold{begin, begin.Add(length)}, 0
}
