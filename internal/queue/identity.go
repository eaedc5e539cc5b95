package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/penstock-io/penstock/contracts"
)

// identity turns the ways to prove who we are, and who the server is, into options. Files are checked now, so that a
// wrong one is found at once, and read again at each reconnect, so that they may be rotated. Their content stays out of
// errors.
func (c Config) identity() ([]nats.Option, error) {
	var opts []nats.Option
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		opts = append(opts, nats.Token(c.Token))
	}
	for _, file := range []struct {
		set  bool
		open func() (nats.Option, error)
	}{
		{c.CredsFile != "", c.creds}, {c.NKeyFile != "", c.nkey}, {c.CAFile != "", c.ca}, {c.CertFile != "", c.certificate},
	} {
		if !file.set {
			continue
		}
		opt, err := file.open()
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	}
	return opts, nil
}

func (c Config) creds() (nats.Option, error) {
	data, err := read("creds file", c.CredsFile)
	if err != nil {
		return nil, err
	}
	_, noJWT := nkeys.ParseDecoratedJWT(data)
	_, noSeed := nkeys.ParseDecoratedUserNKey(data)
	if errors.Join(noJWT, noSeed) != nil {
		return nil, unusable("creds file", c.CredsFile, "a user JWT and an nkey seed, each between its BEGIN and END lines")
	}
	return nats.UserCredentials(c.CredsFile), nil
}

func (c Config) nkey() (nats.Option, error) {
	if _, err := read("nkey seed file", c.NKeyFile); err != nil {
		return nil, err
	}
	opt, err := nats.NkeyOptionFromSeed(c.NKeyFile)
	if err != nil {
		return nil, unusable("nkey seed file", c.NKeyFile, "a line that starts with SU")
	}
	return opt, nil
}

func (c Config) ca() (nats.Option, error) {
	data, err := read("CA file", c.CAFile)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return nil, unusable("CA file", c.CAFile, "certificates in PEM")
	}
	return nats.RootCAs(c.CAFile), nil
}

func (c Config) certificate() (nats.Option, error) {
	if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "NATS client certificate %s with key %s: %w",
			c.CertFile, c.KeyFile, err)
	}
	return nats.ClientCert(c.CertFile, c.KeyFile), nil
}

func read(what, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "NATS %s: %w", what, err)
	}
	return data, nil
}

func unusable(what, path, expected string) error {
	return contracts.Errorf(contracts.KindConfig, "NATS %s %s: it cannot be used: expected %s", what, path, expected)
}
