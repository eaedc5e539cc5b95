package pipeline

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

var errOverflow = errors.New("the result is beyond 64 bits (float(a) computes with floats)")

// addOf is a + b: checked for integers, bounded for texts, and expr-lang's for all else.
func addOf(args ...any) (any, error) {
	if a, b, ok := ints(args); ok {
		if sum := a + b; (sum > a) == (b > 0) {
			return sum, nil
		}
		return nil, errOverflow
	}
	if a, ok := args[0].(string); ok {
		if b, ok := args[1].(string); ok {
			return a + b, textLimit(len(a) + len(b))
		}
	}
	return runtime.Add(args[0], args[1]), nil
}

func subtractOf(args ...any) (any, error) {
	if a, b, ok := ints(args); ok {
		if difference := a - b; (difference < a) == (b > 0) {
			return difference, nil
		}
		return nil, errOverflow
	}
	return runtime.Subtract(args[0], args[1]), nil
}

func multiplyOf(args ...any) (any, error) {
	if a, b, ok := ints(args); ok {
		high, low := bits.Mul64(magnitude(a), magnitude(b))
		limit := uint64(math.MaxInt64)
		if (a < 0) != (b < 0) {
			limit++
		}
		if high != 0 || low > limit {
			return nil, errOverflow
		}
		return a * b, nil
	}
	return runtime.Multiply(args[0], args[1]), nil
}

func magnitude(v int) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func ints(args []any) (a, b int, ok bool) {
	a, aok := args[0].(int)
	b, bok := args[1].(int)
	return a, b, aok && bok
}

func sumOf(args ...any) (any, error) {
	list, err := listOf("sum", args[0])
	if err != nil {
		return nil, err
	}
	var sum any = 0
	for _, v := range list {
		if sum, err = addOf(sum, v); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// textLimit keeps one record from filling memory.
func textLimit(n int) error {
	if n < 0 || n > maxText {
		return fmt.Errorf("the text is longer than %d MiB", maxText>>20)
	}
	return nil
}

func repeatOf(args ...any) (any, error) {
	s, n := args[0].(string), args[1].(int)
	if n < 0 || n > maxText {
		return nil, fmt.Errorf("repeat %d times: expected 0 to %d", n, maxText)
	}
	if err := textLimit(len(s) * n); err != nil {
		return nil, err
	}
	return strings.Repeat(s, n), nil
}

func replaceOf(args ...any) (any, error) {
	s, old, with, n := args[0].(string), args[1].(string), args[2].(string), -1
	if len(args) == 4 {
		n = args[3].(int)
	}
	found := strings.Count(s, old)
	if n >= 0 {
		found = min(found, n)
	}
	if err := textLimit(len(s) + found*len(with)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, with, n), nil
}

func joinOf(args ...any) (any, error) {
	list, err := listOf("join", args[0])
	if err != nil {
		return nil, err
	}
	glue := ""
	if len(args) == 2 {
		glue = args[1].(string)
	}
	texts, size := make([]string, len(list)), 0
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("join: element %d is %s: expected strings", i, typeName(v))
		}
		texts[i], size = s, size+len(s)+len(glue)
		if err := textLimit(size); err != nil {
			return nil, err
		}
	}
	return strings.Join(texts, glue), nil
}
