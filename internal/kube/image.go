package kube

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// importProgram makes an image of one static program and hands it to containerd. There is no registry.
func (c *Cluster) importProgram(ctx context.Context, name, program string) error {
	dir, err := os.MkdirTemp(c.dir, "image-")
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	if err := writeImage(filepath.Join(dir, "root"), program); err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	archive := filepath.Join(dir, "image.tar")
	store := []string{"--storage-driver=vfs", "--root=" + c.path("buildah"), "--runroot=" + c.path("buildah.run")}
	for _, args := range [][]string{
		{"build", "-q", "--layers=false", "--isolation=chroot", "-t", name, filepath.Join(dir, "root")},
		{"push", "-q", name, "oci-archive:" + archive + ":" + name},
	} {
		if err := command(ctx, "buildah", append(store, args...)...); err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
	}
	return c.ImportArchive(ctx, archive)
}

// ImportArchive hands an OCI archive to containerd.
func (c *Cluster) ImportArchive(ctx context.Context, path string) error {
	return c.ctr(ctx, "images", "import", path)
}

// writeImage puts what the image is built from into a folder.
func writeImage(dir, program string) error {
	name := filepath.Base(program)
	if err := copyFile(program, filepath.Join(dir, name)); err != nil {
		return err
	}
	containerfile := fmt.Sprintf("FROM scratch\nCOPY %[1]s /\nUSER 65532:65532\nENTRYPOINT [\"/%[1]s\"]\n", name)
	return os.WriteFile(filepath.Join(dir, "Containerfile"), []byte(containerfile), 0o644)
}

// copyFile keeps the mode.
func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// buildPause builds the program that holds a pod's namespaces.
func buildPause(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path,
		"github.com/penstock-io/penstock/internal/kube/pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pause: %w\n%s", err, out)
	}
	return path, nil
}

// Kill ends a container, by its id, with SIGKILL, as a crash would.
func (c *Cluster) Kill(ctx context.Context, container string) error {
	return c.ctr(ctx, "tasks", "kill", "--signal=SIGKILL", container)
}

// ctr talks to containerd where the kubelet's containers are.
func (c *Cluster) ctr(ctx context.Context, args ...string) error {
	where := []string{"--address", c.path("containerd.sock"), "--namespace", "k8s.io"}
	return command(ctx, "ctr", append(where, args...)...)
}

func command(ctx context.Context, program string, args ...string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
