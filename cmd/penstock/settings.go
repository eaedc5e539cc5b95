package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
)

// setting is one thing that a user can set, by flag, environment or file.
type setting struct {
	key    string // in the file; the variable is PENSTOCK_ and the key in upper case
	flag   string // "" where there is none
	def    string
	usage  string
	secret bool
}

func (s setting) env() string { return "PENSTOCK_" + strings.ToUpper(s.key) }

// settings are all of them, in the order of docs/interface.md.
var settings = []setting{
	{key: "target", flag: "target", usage: "cassandra://host[:port][,…]/keyspace or sqlite:PATH"},
	{key: "nats_url", flag: "nats", usage: "nats://host:port; embedded where it is not set"},
	{key: "nats_prefix", flag: "nats-prefix", def: "penstock", usage: "first token of every subject"},
	{key: "nats_user"}, {key: "nats_password", secret: true}, {key: "nats_token", secret: true},
	{key: "nats_creds"}, {key: "nats_nkey"}, {key: "nats_ca"}, {key: "nats_cert"}, {key: "nats_key"},
	{key: "nats_inbox"}, {key: "nats_replicas", def: "0"},
	{key: "s3_url", flag: "s3", usage: "http(s)://host:port; embedded where it is not set"},
	{key: "s3_access_key"}, {key: "s3_secret_key", secret: true}, {key: "s3_session_token", secret: true},
	{key: "s3_region", def: "us-east-1"}, {key: "s3_style", def: "auto"}, {key: "s3_ca"},
	{key: "cassandra_username"}, {key: "cassandra_password", secret: true},
	{key: "local_dc", flag: "local-dc", usage: "Cassandra's local data centre"},
	{key: "cassandra_tls", def: "false"}, {key: "cassandra_ca"}, {key: "cassandra_cert"}, {key: "cassandra_key"},
	{key: "data", flag: "data", def: "penstock-data", usage: "folder of whatever is embedded"},
	{key: "state_bucket", def: "penstock-state"}, {key: "rejects_bucket", def: "penstock-rejects"},
	{
		key: "workers", flag: "workers", def: strconv.Itoa(min(4, runtime.NumCPU())),
		usage: "chunks that this process reads at a time; 0 leaves the work to others",
	},
	{key: "memory", flag: "memory", def: "192MiB", usage: "bytes that what workers have read may take in this process"},
	{
		key: "chunk_size", flag: "chunk-size", def: "auto",
		usage: "segment size for planning; auto: by what there is to load",
	},
	{key: "max_workers", def: "8"}, {key: "max_record", def: "1MiB"}, {key: "window", def: "256"},
	{key: "attempts", def: "5"}, {key: "reconcile", def: "30s"}, {key: "grace", def: "30s"},
	{key: "listen", flag: "listen", usage: "host:port for a role's /healthz, /readyz and /metrics; off without"},
	{key: "log_level", flag: "log-level", usage: "debug, info, warn, error"},
	{key: "log_format", flag: "log-format", def: "text", usage: "text or json"},
}

// value is a setting's value and where it came from.
type value struct {
	text   string
	source string // flag, environment, the file's name, default, …
}

// values are the resolved settings by key.
type values map[string]value

// addFlags makes a flag of every setting that has one.
func addFlags(flags *pflag.FlagSet) {
	for _, s := range settings {
		if s.flag != "" {
			flags.String(s.flag, "", s.usage)
		}
	}
}

// resolve finds each setting's value: flag, then environment, then file, then default.
func resolve(flags *pflag.FlagSet, env []string, file string) (values, error) {
	vars := environment(env)
	fromFile, name, err := readSettings(cmp.Or(file, vars["PENSTOCK_CONFIG"]))
	if err != nil {
		return nil, err
	}
	v := values{}
	for _, s := range settings {
		found, err := s.find(flags, vars, fromFile, name)
		if err != nil {
			return nil, err
		}
		v[s.key] = found
	}
	return v, nil
}

func (s setting) find(flags *pflag.FlagSet, vars, file map[string]string, name string) (value, error) {
	if f := flags.Lookup(s.flag); s.flag != "" && f != nil && f.Changed {
		return value{f.Value.String(), "flag --" + s.flag}, nil
	}
	if text := vars[s.env()]; text != "" {
		return value{text, "environment " + s.env()}, nil
	}
	if path := vars[s.env()+"_FILE"]; path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return value{}, contracts.Errorf(contracts.KindConfig, "%s_FILE: %w", s.env(), err)
		}
		return value{strings.TrimRight(string(data), "\r\n"), "file " + path}, nil
	}
	if text, ok := file[s.key]; ok {
		return value{text, "file " + name}, nil
	}
	return value{s.def, "default"}, nil
}

func environment(env []string) map[string]string {
	vars := map[string]string{}
	for _, e := range env {
		if k, v, ok := strings.Cut(e, "="); ok {
			vars[k] = v
		}
	}
	return vars
}

// defaultSettingsFile is read when it is there and no other is named.
const defaultSettingsFile = "penstock.yaml"

func readSettings(name string) (map[string]string, string, error) {
	optional := name == ""
	name = cmp.Or(name, defaultSettingsFile)
	data, err := os.ReadFile(name)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, name, nil
	}
	if err != nil {
		return nil, name, contracts.Errorf(contracts.KindConfig, "configuration file: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, name, contracts.Errorf(contracts.KindConfig, "%s: expected `key: value` lines: %w", name, err)
	}
	file := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.key == k }) {
			return nil, name, contracts.Errorf(contracts.KindConfig,
				"%s: unknown key %q: `penstock config` lists the keys", name, k)
		}
		file[k] = fmt.Sprint(raw[k])
	}
	return file, name, nil
}

func (v values) str(key string) string { return v[key].text }

// given says that a user set the value.
func (v values) given(key string) bool { return v[key].source != "default" && v[key].text != "" }

// check finds values that cannot be used, whoever would come to use them.
func (v values) check() error {
	errs := []error{}
	note := func(_ any, err error) { errs = append(errs, err) }
	note(v.boolean("cassandra_tls"))
	for key, least := range map[string]int{
		"workers": 0, "max_workers": 1, "window": 2, "attempts": 1, "nats_replicas": 0,
	} {
		note(v.integer(key, least))
	}
	for _, key := range []string{"reconcile", "grace"} {
		note(v.duration(key))
	}
	note(v.chunkSize())
	note(v.size("max_record", 1, dispatcher.MaxChunkSize))
	note(v.memory())
	note(v.choice("s3_style", "auto", "path", "host"))
	note(v.choice("log_format", "text", "json"))
	note(v.choice("log_level", "", "debug", "info", "warn", "error"))
	note(v.scheme("nats_url", "nats://", "tls://", "ws://", "wss://"))
	note(v.scheme("s3_url", "http://", "https://"))
	note(v.listen())
	note(nil, contracts.CheckName("nats-prefix", strings.ToLower(v.str("nats_prefix"))))
	if text := v.str("target"); text != "" {
		note(parseTarget(text))
	}
	return errors.Join(errs...)
}

func (v values) choice(key string, allowed ...string) (string, error) {
	if text := v.str(key); slices.Contains(allowed, text) {
		return text, nil
	}
	return "", v.bad(key, strings.Join(slices.DeleteFunc(allowed, func(s string) bool { return s == "" }), ", "))
}

func (v values) scheme(key string, allowed ...string) (string, error) {
	text := v.str(key)
	if text == "" || slices.ContainsFunc(allowed, func(s string) bool { return strings.HasPrefix(text, s) }) {
		return text, nil
	}
	return "", v.bad(key, strings.Join(allowed, "… or ")+"…")
}

// shown is a setting as people may see it: secrets masked, also those in addresses, and what stands for no value.
func (v values) shown(s setting) string {
	text := v.str(s.key)
	switch {
	case s.secret && text != "":
		return "********"
	case text == "" && (s.key == "nats_url" || s.key == "s3_url"):
		return "(embedded)"
	case s.key == "target":
		text, _ = targetText(v) // a data folder that cannot be found is told of elsewhere
	case s.key == "log_level" && text == "":
		return "(warn; info for roles)"
	}
	return redacted(text)
}

// redacted masks user and password in an address, and in each of a list of addresses. What stands between :// and the
// last @ is masked, whatever it is: a password with a slash or a comma in it, or a host too much.
func redacted(text string) string {
	const scheme = "://"
	parts := strings.Split(text, scheme)
	for i, part := range parts[1:] {
		if at := strings.LastIndexByte(part, '@'); at >= 0 {
			parts[i+1] = "********" + part[at:]
		}
	}
	return strings.Join(parts, scheme)
}

func (v values) bad(key, expected string) error {
	return contracts.Errorf(contracts.KindConfig, "%s %q (%s): expected %s",
		strings.ReplaceAll(key, "_", "-"), redacted(v[key].text), v[key].source, expected)
}

// listen is where a role's process answers probes; "" where it does not.
func (v values) listen() (string, error) {
	text := v.str("listen")
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if text != "" && err != nil {
		return "", v.bad("listen", "host:port or :port, such as :8080")
	}
	return text, nil
}

func (v values) integer(key string, least int) (int, error) {
	n, err := strconv.Atoi(v[key].text)
	if err != nil || n < least {
		return 0, v.bad(key, fmt.Sprintf("a whole number from %d", least))
	}
	return n, nil
}

func (v values) duration(key string) (time.Duration, error) {
	d, err := time.ParseDuration(v[key].text)
	if err != nil || d <= 0 {
		return 0, v.bad(key, "a duration such as 30s or 5m")
	}
	return d, nil
}

func (v values) boolean(key string) (bool, error) {
	b, err := strconv.ParseBool(v[key].text)
	if err != nil {
		return false, v.bad(key, "true or false")
	}
	return b, nil
}

func (v values) size(key string, least, most int64) (int64, error) {
	if n, ok := contracts.ParseSize(v[key].text); ok && n >= least && n <= most {
		return n, nil
	}
	return 0, v.bad(key, fmt.Sprintf("a size from %d to %d bytes, such as 64KiB or 8MiB", least, most))
}

// chunkSize is the size of segments, 0 where the planner is to choose it.
func (v values) chunkSize() (int64, error) {
	if v.str("chunk_size") == "auto" {
		return 0, nil
	}
	n, err := v.size("chunk_size", 1, dispatcher.MaxChunkSize)
	if err != nil {
		err = fmt.Errorf("%w, or auto", err)
	}
	return n, err
}

// memory is how many bytes workers may take for what they have read.
func (v values) memory() (int64, error) { return v.size("memory", 16<<20, 1<<40) }

// dataDir is the data folder's absolute path.
func (v values) dataDir() (string, error) {
	dir, err := filepath.Abs(v.str("data"))
	if err != nil {
		return "", contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
	}
	return dir, nil
}
