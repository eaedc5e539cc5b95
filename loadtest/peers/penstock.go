package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

// penstock is the whole path: files in S3, an external nats-server, and `penstock load` with all roles in it.
func penstock() Tool {
	var program string
	return Tool{
		Name: "penstock",
		Kind: Penstock,
		Install: func(context.Context, tools.Installer) (err error) {
			program, err = tools.BuildPenstock()
			return err
		},
		Loads: func(dataset.Set) bool { return true },
		Command: func(j Job) (*exec.Cmd, error) {
			spec := filepath.Join(j.Scratch, "readings.yaml")
			if err := os.WriteFile(spec, []byte(pipeline(j)), 0o600); err != nil {
				return nil, fmt.Errorf("write the pipeline: %w", err)
			}
			args := append([]string{"load", "--force", "--output", "json"}, j.MoreFlags...)
			cmd := exec.Command(program, append(args, spec, j.Source)...)
			cmd.Dir, cmd.Env = j.Scratch, append(without("PENSTOCK_", "AWS_"), j.Penstock...)
			return cmd, nil
		},
	}
}

func pipeline(j Job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: readings\nsource: {format: %s}\n", j.Files.Format)
	fmt.Fprintf(&b, "table: {keyspace: %s, name: %s, partition_key: [device], clustering_key: [ts, seq]}\ncolumns:\n",
		j.Keyspace, j.Table)
	for _, c := range dataset.Columns() {
		fmt.Fprintf(&b, "  - {name: %s, type: %s}\n", c.Name, c.Type)
	}
	return b.String()
}

// without is the environment less the variables with these prefixes.
func without(prefixes ...string) []string {
	var env []string
next:
	for _, e := range os.Environ() {
		for _, prefix := range prefixes {
			if strings.HasPrefix(e, prefix) {
				continue next
			}
		}
		env = append(env, e)
	}
	return env
}
