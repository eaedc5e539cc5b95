package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Jars installs what a pom depends on into a folder of that name in the cache, and returns the folder of the jars. A
// second call finds it there.
func (in Installer) Jars(ctx context.Context, name string, pom []byte) (lib string, err error) {
	unlock, err := setupLock()
	if err != nil {
		return "", err
	}
	defer unlock()
	return in.jars(ctx, name, name, pom)
}

// jars fetches what a pom depends on. The jars appear in the cache all at once.
func (in Installer) jars(ctx context.Context, what, name string, pom []byte, args ...string) (string, error) {
	if lib, err := cached(name, "lib"); err == nil {
		return lib, nil
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, name)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of %s: %w", what, err)
	}
	pomFile, part := filepath.Join(home, "pom.xml"), filepath.Join(home, "lib.part")
	if err := os.WriteFile(pomFile, pom, 0o644); err != nil {
		return "", fmt.Errorf("write the pom of %s: %w", what, err)
	}
	err = in.step(ctx, what, func() *exec.Cmd {
		return exec.CommandContext(ctx, "mvn", append([]string{"-q", "-B", "-f", pomFile,
			"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=" + part}, args...)...)
	})
	if err != nil {
		return "", err
	}
	lib := filepath.Join(home, "lib")
	return lib, os.Rename(part, lib)
}

// Python installs a requirement, such as cqlsh==6.2.2, into a virtual environment of its own in the cache, and returns
// the folder of its programs. A second call finds it there.
func (in Installer) Python(ctx context.Context, requirement string) (bin string, err error) {
	unlock, err := setupLock()
	if err != nil {
		return "", err
	}
	defer unlock()
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "python-"+requirement)
	bin, complete := filepath.Join(dir, "bin"), filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return bin, nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{filepath.Join(bin, "python"), "-m", "pip", "install", "--quiet", requirement},
	} {
		err := in.step(ctx, requirement, func() *exec.Cmd { return exec.CommandContext(ctx, args[0], args[1:]...) })
		if err != nil {
			return "", err
		}
	}
	return bin, os.WriteFile(complete, nil, 0o644)
}
