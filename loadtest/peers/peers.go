// Package peers knows the loaders that are compared: how each is installed, which files it can load, and its command
// line at the settings that we found best for it. docs/benchmarks.md names them.
//
// What must never happen: a peer at worse settings than we know, and a peer that is helped by what its users lack.
package peers

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

// Kind says how a tool's figures are read.
type Kind int

// Kinds of tools.
const (
	Loader    Kind = iota // what people use instead of Penstock
	Yardstick             // what no loader can do without: no queue, no object store, no checks
	Penstock              // what is judged
)

// Tool is one of the compared, at one choice of settings.
type Tool struct {
	Name string
	Kind Kind
	// Install sees to the tool's programs. A second call finds them.
	Install func(context.Context, tools.Installer) error
	// Loads says whether the tool can read the files.
	Loads func(dataset.Set) bool
	// Command loads the files. It is called after Install, once for each run.
	Command func(Job) (*exec.Cmd, error)
}

// Job is what a tool is told to load, and where to.
type Job struct {
	Files     dataset.Files
	Host      string // of Cassandra
	Port      string
	Keyspace  string
	Table     string
	Scratch   string   // an empty folder of this run, for logs and settings
	Source    string   // the same files in S3
	Penstock  []string // environment by which Penstock finds NATS, S3 and Cassandra
	MoreFlags []string // of `penstock load`
}

// All are the tools in the order in which they are shown.
func All() []Tool {
	return []Tool{
		penstock(), bare(), dsbulk("dsbulk-replica", dsbulkByReplica), dsbulk("dsbulk", dsbulkDefaults), cqlsh(),
	}
}

// Find gives the tools of these names in the order of All.
func Find(names []string) ([]Tool, error) {
	var found []Tool
	var known []string
	for _, tool := range All() {
		known = append(known, tool.Name)
		if slices.Contains(names, tool.Name) {
			found = append(found, tool)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no tool is called %q: expected some of %s", name, strings.Join(known, ", "))
		}
	}
	return found, nil
}

// columns is the list of columns as CQL and COPY want it.
func columns() string {
	var names []string
	for _, c := range dataset.Columns() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
