package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoKube marks errors that say which part of a cluster is not there and how to get it.
var ErrNoKube = errors.New("`make kube-setup` installs it")

// kubeDebian are the packages that a cluster needs beside what is built, by a program that each brings.
var kubeDebian = map[string]string{
	"containerd": "containerd", "runc": "runc", "buildah": "buildah", "etcd": "etcd-server", "ip": "iproute2",
	"bridge": "containernetworking-plugins",
}

// CNIPlugins returns the folder of the container network plugins. The error is ErrNoKube where there is none.
func CNIPlugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if exists(filepath.Join(dir, "bridge")) && exists(filepath.Join(dir, "host-local")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no container network plugins in /usr/lib/cni, /opt/cni/bin or /usr/libexec/cni: %w", ErrNoKube)
}

// kubePackages sees to containerd and its kin. It installs them on Debian and its kin when run by root, and says what
// to install elsewhere.
func (in Installer) kubePackages(ctx context.Context) error {
	missing := missingKubePackages()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("install what Debian packages as %s (there, as root: apt-get install %[1]s): a cluster needs it",
			strings.Join(missing, " "))
	}
	if err := in.apt(ctx, "update"); err != nil {
		return err
	}
	if err := in.apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...); err != nil {
		return err
	}
	if missing = missingKubePackages(); len(missing) > 0 {
		return fmt.Errorf("%s: installed, and their programs are not to be found", strings.Join(missing, " "))
	}
	return nil
}

func missingKubePackages() []string {
	var missing []string
	for _, program := range []string{"containerd", "runc", "buildah", "etcd", "ip", "bridge"} {
		_, err := exec.LookPath(program)
		if program == "bridge" {
			_, err = CNIPlugins()
		}
		if err != nil {
			missing = append(missing, kubeDebian[program])
		}
	}
	return missing
}
