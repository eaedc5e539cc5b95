package pipeline

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test ./pipeline -update and look at the diff\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestLint holds each finding of the corpus: its place, words and hint.
func TestLint(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, findings := Lint(name+".yaml", src, nil)
			var out strings.Builder
			for _, f := range findings {
				out.WriteString(f.String() + "\n")
			}
			golden(t, filepath.Join("lint", name+".golden"), out.String())
			if (c != nil) != (len(findings) == 0) {
				t.Errorf("compiled %v with %d findings: expected one or the other", c != nil, len(findings))
			}
			for _, f := range findings {
				if f.Line < 1 || f.Column < 1 {
					t.Errorf("finding without a place: %+v", f)
				}
			}
		})
	}
}
