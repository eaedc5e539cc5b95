package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// BuildPenstock builds cmd/penstock of the tree that holds the working folder, into the cache, under a name of that
// tree's own, and returns its path. Test processes that do so at once wait for one another.
func BuildPenstock() (string, error) { return Build("./cmd/penstock") }

// Build builds a program of the tree as BuildPenstock does; pkg is its folder in the tree, such as ./loadtest/bare.
func Build(pkg string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(root))
	dir := filepath.Join(cache, "build", hex.EncodeToString(sum[:6]))
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	binary := filepath.Join(dir, filepath.Base(pkg))
	build := exec.Command("go", "build", "-o", binary, pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}

// moduleRoot is the folder of the go.mod that the working folder belongs to.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("ask go for the module: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == "/dev/null" {
		return "", fmt.Errorf("no go.mod above the working folder: run inside the tree")
	}
	return filepath.Dir(mod), nil
}
