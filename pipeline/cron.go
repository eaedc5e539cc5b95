package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cronField is one field of a schedule: its bounds and the names that stand for numbers from min on.
type cronField struct {
	name     string
	min, max int
	names    []string
}

var cronFields = [5]cronField{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of the month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{name: "day of the week", min: 0, max: 6, names: strings.Fields("sun mon tue wed thu fri sat")},
}

// cronProblem says what is wrong with a schedule of five cron fields; "" where nothing is.
func cronProblem(schedule string) string {
	parts := strings.Fields(schedule)
	if len(parts) != len(cronFields) {
		return fmt.Sprintf("%d fields: expected 5 (minute, hour, day of the month, month, day of the week)", len(parts))
	}
	for i, f := range cronFields {
		for item := range strings.SplitSeq(parts[i], ",") {
			if !f.valid(item) {
				return fmt.Sprintf("%s %q: expected *, a value from %d to %d, a range or a step", f.name, item, f.min, f.max)
			}
		}
	}
	return ""
}

// valid takes *, a, a-b, each with /step.
func (f cronField) valid(item string) bool {
	span, step, stepped := strings.Cut(item, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1 || n > f.max) {
		return false
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	low, ok := f.value(from)
	if !ok || !ranged {
		return ok
	}
	high, ok := f.value(to)
	return ok && low <= high
}

func (f cronField) value(s string) (int, bool) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		return f.min + i, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= f.min && n <= f.max
}
