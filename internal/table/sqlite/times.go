package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"math"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// never is the time of a cell that nobody wrote.
const never = math.MinInt64

// Times are stored as one integer where all cells that have a value share it and no cell is deleted. Else as a blob:
// the latest time as eight bytes, then for each slot a uvarint, 0 for never, else one more than the microseconds that
// the cell is older.

// cellTimes are the times of one row's cells and which of them have a value, by slot.
type cellTimes struct {
	at      []int64
	present []bool
}

func newCellTimes(slots int) cellTimes {
	return cellTimes{at: make([]int64, slots), present: make([]bool, slots)}
}

func (ct cellTimes) clear() {
	for i := range ct.at {
		ct.at[i], ct.present[i] = never, false
	}
}

// encode makes what is stored beside a row; fallback is the integer of a row without any cell.
func (ct cellTimes) encode(fallback int64) driver.Value {
	shared := int64(never)
	for i, t := range ct.at {
		switch {
		case ct.present[i] && (shared == never || t == shared):
			shared = t
		case ct.present[i] || t != never:
			return ct.blob()
		}
	}
	if shared == never {
		shared = fallback
	}
	return shared
}

func (ct cellTimes) blob() []byte {
	latest := slices.Max(ct.at)
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+2*len(ct.at)), uint64(latest))
	for _, t := range ct.at {
		age := uint64(0)
		if t != never {
			age = uint64(latest-t) + 1
		}
		out = binary.AppendUvarint(out, age)
	}
	return out
}

// decode reads what is stored beside a row into at; present is set already. A row without stored times was written by
// hand: anything later than never wins.
func (ct cellTimes) decode(stored driver.Value) error {
	for i := range ct.at {
		ct.at[i] = never
	}
	switch stored := stored.(type) {
	case nil:
		return nil
	case int64:
		for i := range ct.at {
			if ct.present[i] {
				ct.at[i] = stored
			}
		}
		return nil
	case []byte:
		return readBlob(stored, ct.at)
	default:
		return contracts.Errorf(contracts.KindConfig, "write times are %T, expected an integer or a blob", stored)
	}
}

func readBlob(b []byte, at []int64) error {
	broken := contracts.Errorf(contracts.KindConfig, "write times of a row are damaged: restore the file")
	if len(b) < 8 {
		return broken
	}
	latest, b := int64(binary.BigEndian.Uint64(b)), b[8:]
	for i := 0; len(b) > 0; i++ {
		age, n := binary.Uvarint(b)
		if n <= 0 || i >= len(at) {
			return broken
		}
		if age > 0 {
			at[i] = latest - int64(age-1)
		}
		b = b[n:]
	}
	return nil
}
