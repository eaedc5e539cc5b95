package peers

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

// bare is loadtest/bare: batches of one partition where partitions have many rows, else of up to 30.
func bare() Tool {
	var program string
	return Tool{
		Name: "bare",
		Kind: Yardstick,
		Install: func(context.Context, tools.Installer) (err error) {
			program, err = tools.Build("./loadtest/bare")
			return err
		},
		Loads: func(s dataset.Set) bool { return s.Format == dataset.CSV && !s.Alone },
		Command: func(j Job) (*exec.Cmd, error) {
			partitions := 1
			if j.Files.Order == dataset.Unique {
				partitions = 30
			}
			args := []string{"-host", net.JoinHostPort(j.Host, j.Port), "-table", fmt.Sprintf("%s.%s", j.Keyspace, j.Table),
				"-rows", "100", "-partitions", strconv.Itoa(partitions)}
			return exec.Command(program, append(args, j.Files.Paths()...)...), nil
		},
	}
}
