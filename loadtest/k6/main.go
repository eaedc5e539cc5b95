// Command k6 is Grafana k6 with the module k6/x/penstock: it is built like any program, without xk6.
package main

import (
	"os"

	"go.k6.io/k6/cmd"
	"go.k6.io/k6/js/modules"

	"github.com/penstock-io/penstock/loadtest/k6/penstock"
)

func main() {
	// What is asked of k6 stays on this machine: no report of its use, and no other build of k6 for the modules it has.
	for name, value := range map[string]string{"K6_NO_USAGE_REPORT": "true", "K6_AUTO_EXTENSION_RESOLUTION": "false"} {
		if os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
	modules.Register("k6/x/penstock", penstock.New())
	cmd.Execute()
}
