package pipeline

import (
	"strings"
	"testing"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	for write, want := range map[string]BudgetSpec{
		"": {}, "write: {budget: {}}": {}, "write: {budget: {rows: 0, bytes: 0}}": {},
		"write: {budget: {rows: 50000, bytes: 10MB}}": {50_000, 10_000_000},
		"write: {budget: {bytes: 1 KiB}}":             {0, 1024},
		"write: {budget: {bytes: 1000000000000}}":     {0, 1_000_000_000_000},
	} {
		c := mustCompile(t, small+write)
		if rows, bytes := c.Budget(); rows != want.Rows || bytes != want.Bytes {
			t.Errorf("%s: found %d rows, %d bytes: expected %+v", write, rows, bytes, want)
		}
		if again := mustCompile(t, string(c.Spec().Canonical())); again.Spec().Write != c.Spec().Write {
			t.Errorf("%s: the stored form is another: %s", write, c.Spec().Canonical())
		}
	}
}

// TestRevisionOfBudgets holds that a budget makes another revision, however it is written, and none makes none.
func TestRevisionOfBudgets(t *testing.T) {
	t.Parallel()
	revision := func(write string) string { return mustParse(t, small+write).Revision() }
	none, some := revision(""), revision("write: {budget: {bytes: 10MB}}")
	if none != revision("write: {budget: {rows: 0}}") || some != revision("write: {budget: {bytes: 10000000}}") {
		t.Error("two spellings of one budget are two revisions")
	}
	if none == some || some == revision("write: {budget: {bytes: 10MiB}}") {
		t.Error("another budget is no other revision")
	}
	if strings.Contains(string(mustParse(t, small).Canonical()), "budget") {
		t.Error("no budget stands in the canonical form: the revisions of older versions would change")
	}
}
