package kube

import (
	"context"
	"os"
	"path/filepath"
)

// pauseImage is what holds a pod's namespaces.
const pauseImage = "localhost/penstock-pause:1"

func cgroupOf(dir string) string { return "/" + filepath.Base(dir) }

// containers starts containerd and gives it the image that every pod needs.
func (s *starter) containers(ctx context.Context) error {
	config, err := s.render("containerd.toml")
	if err != nil {
		return err
	}
	if _, err := s.render("10-penstock.conflist", "cni"); err != nil {
		return err
	}
	if err := s.run("containerd", nil, "-c", config); err != nil {
		return err
	}
	err = await(ctx, "wait for containerd", func(ctx context.Context) error {
		if _, err := os.Stat(s.path("containerd.sock")); err != nil {
			return err // ctr would wait ten seconds for it
		}
		return s.ctr(ctx, "version")
	})
	if err != nil {
		return err
	}
	s.up("containerd")
	pause, err := buildPause(ctx, s.path("pause"))
	if err != nil {
		return err
	}
	return s.importProgram(ctx, pauseImage, pause)
}

// kubelet starts the node and returns when it is ready.
func (s *starter) kubelet(ctx context.Context) error {
	config, err := s.render("kubelet.yaml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("resolv.conf"), nil, 0o644); err != nil {
		return err
	}
	err = s.run("kubelet", nil, "--config="+config, "--kubeconfig="+s.kubeconfig("kubelet"), "--hostname-override="+Node,
		"--node-ip="+Address, "--root-dir="+s.path("kubelet"))
	if err != nil {
		return err
	}
	if err := s.condition(ctx, "Ready", "node/"+Node); err != nil {
		return err
	}
	s.up("kubelet")
	return nil
}

// condition waits for a condition of an object, which may not be there yet.
func (c *Cluster) condition(ctx context.Context, name, object string) error {
	return await(ctx, "wait for "+object, func(ctx context.Context) error {
		_, err := c.Kubectl(ctx, "", "wait", "--for=condition="+name, object, "--timeout=5s")
		return err
	})
}
