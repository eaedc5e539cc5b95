package kube

import (
	"context"
	"path/filepath"
	"strings"
)

// keda installs KEDA's resources, starts its operator and its adapter as processes of the node, under the account and
// the roles that they have as pods, and returns when the autoscaler can ask them.
func (s *starter) keda(ctx context.Context) error {
	manifest, err := s.render("keda.yaml")
	if err != nil {
		return err
	}
	in := func(elem ...string) string { return filepath.Join(append([]string{s.config}, elem...)...) }
	for _, args := range [][]string{
		{"create", "namespace", "keda"},
		{"apply", "--server-side", "-k", in("crd")}, // they are too large for the client's way
		{"create", "--namespace=keda", "serviceaccount", "keda-operator"},
		{"apply", "-f", in("rbac", "role.yaml"), "-f", in("rbac", "role_binding.yaml"),
			"-f", in("metrics-server", "role.yaml"), "-f", in("metrics-server", "role_binding.yaml")},
		{"apply", "-f", manifest},
	} {
		if _, err := s.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	for _, crd := range []string{"scaledobjects", "scaledjobs", "triggerauthentications"} {
		if err := s.condition(ctx, "Established", "crd/"+crd+".keda.sh"); err != nil {
			return err
		}
	}
	if err := s.kedaProcesses(ctx); err != nil {
		return err
	}
	if err := s.condition(ctx, "Available", "apiservice/v1beta1.external.metrics.k8s.io"); err != nil {
		return err
	}
	s.up("KEDA")
	return nil
}

func (s *starter) kedaProcesses(ctx context.Context) error {
	token, err := s.Kubectl(ctx, "", "create", "--namespace=keda", "token", "keda-operator", "--duration=24h")
	if err != nil {
		return err
	}
	if err := s.writeKubeconfig("keda", map[string]string{"token": strings.TrimSpace(token)}); err != nil {
		return err
	}
	certs, err := s.kedaCertificates()
	if err != nil {
		return err
	}
	config := s.kubeconfig("keda")
	env := []string{"KUBECONFIG=" + config, "KEDA_CLUSTER_OBJECT_NAMESPACE=keda", "POD_NAMESPACE=keda", "WATCH_NAMESPACE="}
	err = s.run("keda-operator", env, "--zap-log-level=info", "--zap-encoder=console", "--zap-time-encoding=rfc3339",
		"--enable-cert-rotation=false", "--cert-dir="+certs, "--metrics-bind-address=127.0.0.1:18080",
		"--health-probe-bind-address=127.0.0.1:18081", "--metrics-service-bind-address=127.0.0.1:19666")
	if err != nil {
		return err
	}
	return s.run("keda-adapter", env, "--secure-port=16444", "--client-ca-file="+s.path("pki", "ca.crt"),
		"--cert-dir="+certs, "--tls-cert-file="+filepath.Join(certs, "tls.crt"),
		"--tls-private-key-file="+filepath.Join(certs, "tls.key"), "--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config, "--lister-kubeconfig="+config,
		"--metrics-service-address=localhost:19666", "--port=18082", "--zap-log-level=info")
}

// kedaCertificates puts one pair under the names that operator and adapter look for, which serves both.
func (s *starter) kedaCertificates() (string, error) {
	dir := s.path("pki", "keda-tls")
	for from, to := range map[string]string{"ca.crt": "ca.crt", "keda.crt": "tls.crt", "keda.key": "tls.key"} {
		if err := copyFile(s.path("pki", from), filepath.Join(dir, to)); err != nil {
			return "", err
		}
	}
	return dir, nil
}
