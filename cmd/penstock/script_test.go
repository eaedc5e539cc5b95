package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // reads the results with no code of ours

	"github.com/penstock-io/penstock/contracts"
)

// exits runs a command and wants its exit code: exits 3 penstock load …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, expected %d", code, want)
	}
}

// sqlQuery asks the data folder's database and writes the rows to stdout, columns joined by |.
func sqlQuery(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE QUERY")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query(args[1])
	ts.Check(err)
	columns, err := rows.Columns()
	ts.Check(err)
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.NullString)
	}
	for rows.Next() {
		ts.Check(rows.Scan(values...))
		shown := make([]string, len(values))
		for i, v := range values {
			shown[i] = v.(*sql.NullString).String
		}
		_, err := fmt.Fprintln(ts.Stdout(), strings.Join(shown, "|"))
		ts.Check(err)
	}
	ts.Check(rows.Err())
}

// jobEnv takes the job's id from a report in a file into $JOB, and wants the counts to add up.
func jobEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: job FILE")
	}
	var r contracts.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	if !r.Records.Balanced() {
		ts.Fatalf("the counts do not add up: %+v", r.Records)
	}
	if o := r.Objects; (r.Error == nil || r.Error.Kind != contracts.KindLimit) && o.Total != o.Loaded+o.Skipped+o.Failed {
		ts.Fatalf("the objects do not add up: %+v", o)
	}
	ts.Setenv("JOB", string(r.Job))
}
