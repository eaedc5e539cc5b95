package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"penstock": main})
}

// TestScripts runs the program as users do, one script a subject.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PENSTOCK_DATA", e.WorkDir+"/data")
			e.Setenv("PENSTOCK_WORKERS", "2")
			e.Setenv("BIN", filepath.SplitList(os.Getenv("PATH"))[0]) // where testscript puts penstock
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sql": sqlQuery, "job": jobEnv},
	})
}
