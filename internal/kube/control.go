package kube

import (
	"context"
	"fmt"
)

// controlPlane starts etcd and what talks to it, and returns when pods could be made.
func (s *starter) controlPlane(ctx context.Context) error {
	const etcd, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	err := s.run("etcd", nil, "--data-dir="+s.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	if err != nil {
		return err
	}
	if err := s.run("kube-apiserver", nil, s.apiServerFlags(etcd)...); err != nil {
		return err
	}
	err = await(ctx, "wait for kube-apiserver", func(ctx context.Context) error {
		_, err := s.Kubectl(ctx, "", "get", "--raw", "/readyz")
		return err
	})
	if err != nil {
		return err
	}
	s.up("kube-apiserver")
	if err := s.controllers(); err != nil {
		return err
	}
	return await(ctx, "wait for the controllers", func(ctx context.Context) error {
		_, err := s.Kubectl(ctx, "", "get", "serviceaccount", "default")
		return err
	})
}

func (s *starter) apiServerFlags(etcd string) []string {
	pki := func(file string) string { return s.path("pki", file) }
	return []string{
		"--etcd-servers=" + etcd, "--secure-port=6443", "--bind-address=0.0.0.0", "--advertise-address=" + Address,
		"--service-cluster-ip-range=" + services, "--client-ca-file=" + pki("ca.crt"),
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("accounts.pub"), "--service-account-signing-key-file=" + pki("accounts.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--kubelet-client-certificate=" + pki("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet.key"), "--kubelet-certificate-authority=" + pki("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + pki("front-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front-proxy.crt"), "--proxy-client-key-file=" + pki("front-proxy.key"),
		"--enable-aggregator-routing=true", "--profiling=false",
	}
}

// controllers starts what looks after Deployments and places pods. One of each: there is nobody to elect.
func (s *starter) controllers() error {
	login := func(user string) []string {
		path := s.kubeconfig(user)
		return []string{"--kubeconfig=" + path, "--authentication-kubeconfig=" + path,
			"--authorization-kubeconfig=" + path, "--leader-elect=false", "--bind-address=127.0.0.1"}
	}
	err := s.run("kube-controller-manager", nil, append(login("controllers"),
		"--service-account-private-key-file="+s.path("pki", "accounts.key"), "--root-ca-file="+s.path("pki", "ca.crt"),
		"--use-service-account-credentials=true", fmt.Sprintf("--horizontal-pod-autoscaler-sync-period=%ds", hpaSeconds),
	)...)
	if err != nil {
		return err
	}
	return s.run("kube-scheduler", nil, login("scheduler")...)
}

// hpaSeconds is how often the autoscaler looks; 15 is usual.
const hpaSeconds = 5
