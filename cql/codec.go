package cql

import "github.com/penstock-io/penstock/contracts"

// Problem is a value that is not one of its type.
type Problem struct {
	Rule   contracts.Rule // type, range or encoding
	Reason string         // what was expected, and an example of it
}

func (p *Problem) Error() string { return p.Reason }
