package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Finding is one thing that is wrong with a spec.
type Finding struct {
	File    string `json:"file"`    // as given to Parse; "" for a spec that came from no file
	Line    int    `json:"line"`    // from 1; 0 where there is no file
	Column  int    `json:"column"`  // from 1
	Message string `json:"message"` // what was found and what was expected
	Hint    string `json:"hint"`    // what to do; may be ""
}

// String is file:line:column: message (hint).
func (f Finding) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		fmt.Fprintf(&b, " (%s)", f.Hint)
	}
	return b.String()
}

// sortFindings orders findings as a reader of the file meets them and drops repetitions.
func sortFindings(fs []Finding) []Finding {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(fs)
}

// didYouMean suggests the candidate nearest to word; without a near one it lists them, if they are few.
func didYouMean(word string, candidates []string) string {
	best, distance := "", 1+utf8.RuneCountInString(word)/3
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= distance && (best == "" || d < distance) {
			best, distance = c, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(candidates) == 0 || len(candidates) > 24:
		return ""
	default:
		return "expected one of " + strings.Join(candidates, ", ")
	}
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours between a and b.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before, row []int
	next := make([]int, len(t)+1)
	for j := range next {
		next[j] = j
	}
	for i := range s {
		before, row, next = row, next, make([]int, len(t)+1)
		next[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
	}
	return next[len(t)]
}
