package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority issues certificates; they last a day, which no cluster does.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificates makes authorities, certificates and the kubeconfigs that use them. In a cluster who somebody is stands
// in the certificate: the common name is the user, the organization the group.
func (s *starter) certificates() error {
	ca, err := s.newAuthority("ca")
	if err != nil {
		return err
	}
	front, err := s.newAuthority("front-ca")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		by          *authority
		file        string
		user, group string
	}{
		{ca, "apiserver", "kube-apiserver", ""},
		{ca, "apiserver-kubelet", "apiserver-kubelet", "system:masters"},
		{ca, "admin", "admin", "system:masters"},
		{ca, "controllers", "system:kube-controller-manager", ""},
		{ca, "scheduler", "system:kube-scheduler", ""},
		{ca, "kubelet", "system:node:" + Node, "system:nodes"},
		{ca, "keda", "keda", ""},
		{front, "front-proxy", "front-proxy-client", ""},
	} {
		if err := s.issue(c.by, c.file, c.user, c.group); err != nil {
			return err
		}
	}
	for _, user := range []string{"admin", "controllers", "scheduler", "kubelet"} {
		auth := map[string]string{
			"client-certificate": s.path("pki", user+".crt"), "client-key": s.path("pki", user+".key"),
		}
		if err := s.writeKubeconfig(user, auth); err != nil {
			return err
		}
	}
	return s.accountKeys()
}

func (s *starter) newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	a := &authority{cert: certTemplate(name, ""), key: key}
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	return a, s.sign(a, a.cert, name, key)
}

// issue makes a certificate for servers and clients, for every name by which something of the cluster is called.
func (s *starter) issue(by *authority, file, user, group string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	cert := certTemplate(user, group)
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert.DNSNames = []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", Node,
		"keda-operator", "keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc",
	}
	for _, ip := range []string{"127.0.0.1", Address, firstOfThem} {
		cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
	}
	return s.sign(by, cert, file, key)
}

func (s *starter) sign(by *authority, cert *x509.Certificate, file string, key *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, by.cert, key.Public(), by.key)
	if err != nil {
		return fmt.Errorf("issue a certificate: %w", err)
	}
	if err := s.writePEM(file+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	return s.writeKey(file+".key", key)
}

// accountKeys makes the pair by which tokens of service accounts are signed and checked.
func (s *starter) accountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode a key: %w", err)
	}
	if err := s.writePEM("accounts.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return s.writeKey("accounts.key", key)
}

func (s *starter) writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode a key: %w", err)
	}
	return s.writePEM(file, "EC PRIVATE KEY", der)
}

func (s *starter) writePEM(file, kind string, der []byte) error {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(s.path("pki", file), block, 0o600); err != nil {
		return fmt.Errorf("write a certificate: %w", err)
	}
	return nil
}

// authority64 is the cluster's authority as manifests carry it; "" where it is not there yet.
func (s *starter) authority64() string {
	b, _ := os.ReadFile(s.path("pki", "ca.crt")) // templates without it need none
	return base64.StdEncoding.EncodeToString(b)
}

func certTemplate(user, group string) *x509.Certificate {
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: user},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if group != "" {
		cert.Subject.Organization = []string{group}
	}
	return cert
}

func (c *Cluster) kubeconfig(user string) string { return c.path(user + ".kubeconfig") }

// writeKubeconfig writes what lets a user in: auth is how.
func (s *starter) writeKubeconfig(user string, auth map[string]string) error {
	type named map[string]any
	b, err := json.Marshal(named{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": []named{{"name": "c", "cluster": named{
			"server": apiServer, "certificate-authority": s.path("pki", "ca.crt"),
		}}},
		"users":    []named{{"name": user, "user": auth}},
		"contexts": []named{{"name": "c", "context": named{"cluster": "c", "user": user}}},
	})
	if err != nil {
		return fmt.Errorf("write a kubeconfig: %w", err)
	}
	return os.WriteFile(s.kubeconfig(user), b, 0o600)
}
