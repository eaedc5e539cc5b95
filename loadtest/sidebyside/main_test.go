package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/peers"
	"github.com/penstock-io/penstock/loadtest/report"
)

func TestRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // arguments: what the error names
		"-rounds 0":             "at least one round",
		"-rows 0":               "one row",
		"file.csv":              `"file.csv"`,
		"-files 1,9":            `"9"`,
		"-tools penstock,sqlld": `"sqlld"`,
		"-no-such-flag":         "no-such-flag",
	}
	for args, want := range tests {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), strings.Fields(args), t.Output(), t.Output())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: expected %s", err, want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	compared, err := peers.Find(strings.Split(o.tools, ","))
	if err != nil || len(compared) != len(peers.All()) {
		t.Errorf("%d tools (%v), expected all", len(compared), err)
	}
	if o.rounds < 3 || o.rows != 1_000_000 || o.cache == "" {
		t.Errorf("defaults %+v", o)
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	want := report.Run{Set: "2", Tool: "penstock", Round: 1, Wall: 5, Rows: 10, Right: true}
	r := report.Results{
		Files: dataset.Files{Set: dataset.Sets(10)[2]}, Tools: peers.All()[:1], Runs: []report.Run{want},
		Machine: machine(t.Context()),
	}
	if err := save(dir, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "file-2.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var got report.Run
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%+v (%v), expected %+v", got, err, want)
	}
	for ending, want := range map[string]string{"md": "### File 2", "svg": "<svg"} {
		text, err := os.ReadFile(filepath.Join(dir, "file-2."+ending))
		if err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s: %v\n%s", ending, err, text)
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9000) + "why"
	if got := string(tail([]byte(long))); len(got) != 4096 || !strings.HasSuffix(got, "why") {
		t.Errorf("%d bytes, expected the last 4096", len(got))
	}
	if got := string(tail([]byte(" why\n"))); got != "why" {
		t.Errorf("%q", got)
	}
}
