package contracts

import (
	"math"
	"strconv"
	"strings"
)

// sizeUnits are what a size may be counted in; longer names first, so that KiB is not read as B.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
	}
}

type sizeUnit struct {
	name  string
	bytes int64
}

// ParseSize reads bytes as people write them: a whole number with B, KB, MB, GB (powers of 1000) or KiB, MiB, GiB
// (powers of 1024); without a unit, bytes. It is false for what is no size, is negative or has more than 64 bits.
func ParseSize(text string) (bytes int64, ok bool) {
	text = strings.TrimSpace(text)
	for _, u := range sizeUnits() {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
			if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
				return 0, false
			}
			return n * u.bytes, true
		}
	}
	return 0, false
}
