package pipeline

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/penstock-io/penstock/contracts"
)

// Bounds of a budget, for a second: what no cluster does, so that it is a slip of the pen.
const (
	maxBudgetRows  = 1_000_000_000
	maxBudgetBytes = 1_000_000_000_000
)

// Budget is what all workers together may write of this pipeline's rows in a second; 0 is no limit.
func (c *Compiled) Budget() (rows, bytes int64) {
	return c.spec.Write.Budget.Rows, c.spec.Write.Budget.Bytes
}

func (d *decoder) budget(b *BudgetSpec, path string, n ast.Node) {
	rows := 0
	d.mapping(path, n, fields{"rows": d.integer(&rows), "bytes": d.size(&b.Bytes)})
	b.Rows = int64(rows)
}

// size reads a number of bytes, or text with a unit.
func (d *decoder) size(dst *int64) setter {
	return func(path string, n ast.Node) {
		text, ok := scalarText(n)
		if i, whole := n.(*ast.IntegerNode); whole {
			text, ok = i.Token.Value, true
		}
		v, size := contracts.ParseSize(text)
		if !ok || !size {
			d.add(path, n, "write a number with B, KB, MB, GB, KiB, MiB or GiB, such as 10MB; 0 is no limit",
				"%s is %s: expected a size", path, describe(n))
			return
		}
		*dst = v
	}
}

func (c *checker) budget() {
	b := c.spec.Write.Budget
	if b.Rows < 0 || b.Rows > maxBudgetRows {
		c.add("write.budget.rows", "0 is no limit", "write.budget.rows is %d: expected 0 to %d rows a second",
			b.Rows, maxBudgetRows)
	}
	if b.Bytes > maxBudgetBytes {
		c.add("write.budget.bytes", "0 is no limit", "write.budget.bytes is %d: expected 0 to %d bytes a second",
			b.Bytes, maxBudgetBytes)
	}
}

func (b BudgetSpec) document() document {
	d := document{}
	put(d, "rows", b.Rows, 0)
	put(d, "bytes", b.Bytes, 0)
	return d
}

func budgetSchema() document {
	rows := whole(0).or(0)
	rows["maximum"] = maxBudgetRows
	return object(document{
		"rows": rows.describe("Rows a second; 0 is no limit."),
		"bytes": document{"anyOf": []document{whole(0), matching(`^[0-9]+ ?(([KMG]i?)?B)?$`)}}.or(0).
			describe("Bytes of the rows' values a second, such as 10MB; 0 is no limit."),
	}).describe("What all workers together may write in a second, over all jobs of the pipeline: the readers of the " +
		"cluster are left the rest.")
}
