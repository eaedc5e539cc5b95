package peers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

// cqlsh is COPY FROM of cqlsh 6.2.2. It reads CSV only.
func cqlsh() Tool {
	var bin string
	return Tool{
		Name: "cqlsh",
		Install: func(ctx context.Context, in tools.Installer) (err error) {
			bin, err = in.Python(ctx, "cqlsh==6.2.2")
			return err
		},
		Loads: func(s dataset.Set) bool { return s.Format == dataset.CSV && !s.Alone },
		Command: func(j Job) (*exec.Cmd, error) {
			copyFrom := fmt.Sprintf("COPY %s.%s (%s) FROM '%s' WITH HEADER = true AND ERRFILE = '%s'",
				j.Keyspace, j.Table, columns(), filepath.Join(j.Files.Dir, "*.csv"), filepath.Join(j.Scratch, "errors.csv"))
			cmd := exec.Command(filepath.Join(bin, "cqlsh"), "-e", copyFrom, j.Host, j.Port)
			cmd.Dir = j.Scratch
			return cmd, nil
		},
	}
}
