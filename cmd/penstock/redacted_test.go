package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedacted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"nats://h:4222":         "nats://h:4222",
		"nats://u:hush@h:4222":  "nats://********@h:4222",
		"http://u:hush@h/a/b":   "http://********@h/a/b",
		"nats://u:hu/sh@h:4222": "nats://********@h:4222",
		"nats://u:hu@sh@h":      "nats://********@h",
		"nats://u:hush@a:4222,nats://v:hush@b:4222,tls://c": "nats://********@a:4222,nats://********@b:4222,tls://c",
		"nats://u:hush@a:4222,v:hush@b:4222":                "nats://********@b:4222",
		"sqlite:/data/a@b.db":                               "sqlite:/data/a@b.db",
		"":                                                  "",
	} {
		if found := redacted(text); found != want {
			t.Errorf("%q: found %q, expected %q", text, found, want)
		}
	}
}

// TestPasswordsOfAddresses looks where addresses are shown.
func TestPasswordsOfAddresses(t *testing.T) {
	t.Parallel()
	const servers = "nats://u:hush@a:4222,nats://v:hush@b:4222"
	var said bytes.Buffer
	v := values{"nats_url": {text: servers, source: "default"}, "data": {text: t.TempDir()}}
	(&app{stdio: stdio{Err: &said}}).sayUp(&plant{settings: v}, 1)
	for _, text := range []string{
		said.String(), examined("nats", servers, natsHints, nil).Detail, v.shown(setting{key: "nats_url"}),
		v.bad("nats_url", "…").Error(),
	} {
		if strings.Contains(text, "hush") || !strings.Contains(text, "@b:4222") {
			t.Errorf("found %q: expected the server, and no password", text)
		}
	}
}

// TestUpFile keeps the address of NATS, which may hold a password, from other users of the machine.
func TestUpFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := values{"nats_url": {text: "nats://u:hush@a:4222"}, "data": {text: dir}}
	remove, err := announceUp(&plant{settings: v, embedded: &embedded{}})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, upFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("found %v, %v: expected a file for its owner alone", info.Mode(), err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
}
