package queue

import (
	"cmp"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Config says where NATS is and what the streams are like. Only URL is required.
type Config struct {
	URL    string // nats://host:port or tls://host:port, several separated by commas; may carry user:password@
	Prefix string // first token of every subject; "" is penstock

	User, Password    string
	Token             string
	CredsFile         string // path of a creds file: user JWT and nkey seed
	NKeyFile          string // path of an nkey seed file
	CAFile            string // PEM; "" is the system's roots
	CertFile, KeyFile string // PEM, the client's own; both or neither

	Inbox         string        // what answers' subjects begin with; "" is _INBOX.USER, here or in URL; else _INBOX
	Name          string        // of the connection, as NATS lists it; "" is penstock
	MaxAckPending int           // messages that all holders of one consumer may hold; 0 is 4096
	Replicas      int           // of each stream; 0 is 1 for a new stream and leaves an existing one alone
	AckWait       time.Duration // lease of a delivered message; 0 is 30 s
	MaxChunks     int64         // chunk messages in the queue, of all jobs; 0 is 1,000,000
	Held          int           // bytes of what Notify is told while NATS is away; 0 holds none
	Log           *slog.Logger  // nil discards
}

const (
	defaultMaxAckPending = 4096
	defaultAckWait       = 30 * time.Second
	defaultMaxChunks     = 1_000_000
)

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, contracts.DefaultSubjects.Prefix)
	c.Name = cmp.Or(c.Name, "penstock")
	c.Inbox = cmp.Or(c.Inbox, inboxOf(cmp.Or(c.User, c.userOfURL())))
	c.MaxAckPending = cmp.Or(c.MaxAckPending, defaultMaxAckPending)
	c.AckWait = cmp.Or(c.AckWait, defaultAckWait)
	c.MaxChunks = cmp.Or(c.MaxChunks, int64(defaultMaxChunks))
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

var (
	prefixRE = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	userRE   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	inboxRE  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

func (c Config) check() error {
	switch {
	case !prefixRE.MatchString(c.Prefix):
		return contracts.Errorf(contracts.KindConfig,
			"NATS prefix %q: expected one subject token, 1 to 64 of a-z, 0-9, _ and -", c.Prefix)
	case !inboxRE.MatchString(c.Inbox):
		return contracts.Errorf(contracts.KindConfig,
			"NATS inbox %q: expected subject tokens of letters, digits, _ and -, joined by dots", c.Inbox)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return contracts.Errorf(contracts.KindConfig,
			"NATS client certificate: found only one of certificate and key: set both or neither")
	case c.Password != "" && c.User == "":
		return contracts.Errorf(contracts.KindConfig, "NATS password: found no user to go with it: set both or neither")
	case c.MaxAckPending < 0 || c.Replicas < 0 || c.AckWait < 0 || c.MaxChunks < 0:
		return contracts.Errorf(contracts.KindConfig, "NATS limits: expected 0 (the default) or more: "+
			"max ack pending %d, replicas %d, ack wait %s, max chunks %d", c.MaxAckPending, c.Replicas, c.AckWait, c.MaxChunks)
	}
	return nil
}

// userOfURL is the user that stands in the address; "" where none does.
func (c Config) userOfURL() string {
	first, _, _ := strings.Cut(c.URL, ",")
	u, err := url.Parse(strings.TrimSpace(first))
	if err != nil || u.User == nil {
		return ""
	}
	if _, ok := u.User.Password(); !ok {
		return "" // it is a token
	}
	return u.User.Username()
}

// address is the URL list as errors may show it: without user, password and token.
func (c Config) address() (string, error) {
	var hosts []string
	for i, raw := range strings.Split(c.URL, ",") {
		raw = strings.TrimSpace(raw)
		if raw != "" && !strings.Contains(raw, "://") {
			raw = "nats://" + raw
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" { // err quotes the URL and with it a password: it stays here
			return "", contracts.Errorf(contracts.KindConfig,
				"NATS URL, server %d of the list: it cannot be read: expected nats://host:port or tls://host:port", i+1)
		}
		hosts = append(hosts, u.Scheme+"://"+u.Host)
	}
	return strings.Join(hosts, ","), nil
}
