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

// Image is what a container starts from: one static program and, where it needs them, other files by their paths.
type Image struct {
	Program string            // its path on this machine; it is the entry point
	Files   map[string]string // path inside: path on this machine
}

// Import builds an image and hands it to containerd. There is no registry.
func (c *Cluster) Import(ctx context.Context, name string, image Image) error {
	dir, err := os.MkdirTemp(c.dir, "image-")
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	if err := image.write(dir); err != nil {
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
	return c.ctr(ctx, "images", "import", archive)
}

// write puts what the image is built from into a folder.
func (i Image) write(dir string) error {
	name := "/" + filepath.Base(i.Program)
	files := map[string]string{name: i.Program}
	for to, from := range i.Files {
		files[to] = from
	}
	for to, from := range files {
		if err := copyFile(from, filepath.Join(dir, "root", "files", to)); err != nil {
			return err
		}
	}
	containerfile := fmt.Sprintf("FROM scratch\nCOPY files/ /\nUSER 65532:65532\nENTRYPOINT [%q]\n", name)
	return os.WriteFile(filepath.Join(dir, "root", "Containerfile"), []byte(containerfile), 0o644)
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
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
