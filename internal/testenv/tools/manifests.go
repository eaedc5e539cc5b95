package tools

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// What the tests of manifests/ run.
var (
	kustomize = goTool{"kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "v5.8.2"}
	promtool  = goTool{"promtool", "github.com/prometheus/prometheus", "v0.309.1"}
)

// goBuild builds a program whose module excludes or replaces others, which `go install` refuses, in a module of its
// own.
func (in Installer) goBuild(ctx context.Context, tool goTool, pkg string) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	binary := filepath.Join(cache, "bin", tool.name)
	if info, err := buildinfo.ReadFile(binary); err == nil && info.Main.Version == tool.version {
		return nil
	}
	dir, err := os.MkdirTemp("", "penstock-setup-")
	if err != nil {
		return fmt.Errorf("make a folder for %s: %w", tool.name, err)
	}
	defer os.RemoveAll(dir)
	mod := "module " + tool.name + "\n\ngo 1.26.0\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return fmt.Errorf("make a module for %s: %w", tool.name, err)
	}
	for _, args := range [][]string{
		{"get", pkg + "@" + tool.version}, {"build", "-ldflags", "-s -w", "-o", binary, pkg},
	} {
		err := in.step(ctx, tool.name+" "+tool.version+": go "+args[0], func() *exec.Cmd {
			cmd := exec.CommandContext(ctx, "go", args...)
			cmd.Dir = dir
			return cmd
		})
		if err != nil {
			return err
		}
	}
	return nil
}
