package testenv

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Pages are the Markdown files below root, the project's own folder, by their path from there with slashes.
func Pages(t testing.TB, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() && (name == "bin" || name == "testdata" || len(name) > 2 && strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if e.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(file)
		relative, _ := filepath.Rel(root, file)
		found[filepath.ToSlash(relative)] = string(text)
		return err
	})
	if err != nil || found["README.md"] == "" {
		t.Fatalf("found %d pages below %s, expected README.md among them: %v", len(found), root, err)
	}
	return found
}
