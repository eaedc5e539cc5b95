package pipeline

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLint wants findings or a pipeline of any bytes, and a pipeline to survive its own canonical form.
func FuzzLint(f *testing.F) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, src := range []string{small, verbose, terse} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, findings := Lint("fuzz.yaml", src, nil)
		for _, found := range findings {
			if found.Line < 1 || found.Column < 1 || found.Message == "" {
				t.Fatalf("finding without place or words: %+v", found)
			}
		}
		if c == nil {
			if len(findings) == 0 {
				t.Fatal("neither findings nor a pipeline")
			}
			return
		}
		again, findings := Lint("canonical.yaml", c.Spec().Canonical(), nil)
		if len(findings) > 0 || again.Spec().Revision() != c.Spec().Revision() {
			t.Fatalf("the canonical form is another pipeline: %v\n%s", findings, c.Spec().Canonical())
		}
	})
}
