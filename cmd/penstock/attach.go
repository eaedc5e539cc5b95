package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/penstock-io/penstock/contracts"
)

// upFile is where `penstock up` says, in its data folder, how other commands reach it.
const upFile = "up.json"

// upInfo holds no secret but what stands in the address of NATS. The keys of the embedded S3 gateway are in keysFile;
// only their owner may read either.
type upInfo struct {
	NATS   string `json:"nats"`
	S3     string `json:"s3"`
	Target string `json:"target"`
}

// attach lets a command that lacks NATS or S3 use those of an `up` that runs on the same data folder. Where none runs,
// or one with other servers than this command is given, it changes nothing.
func attach(v values) error {
	if v.given("nats_url") && v.given("s3_url") {
		return nil
	}
	dir, err := v.dataDir()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, upFile))
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return nil
	}
	if lock, err := lockFolder(dir); err == nil {
		return lock.release() // left over: nobody runs here
	}
	var info upInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return contracts.Errorf(contracts.KindConfig, "%s: %w", filepath.Join(dir, upFile), err)
	}
	set, err := info.reach(v, dir)
	if set == nil || err != nil {
		return err
	}
	source := "penstock up in " + dir
	if v.given("target") && v.str("target") != info.Target {
		return usageError(fmt.Errorf("target %s (%s): the `penstock up` that runs in %s loads into %s: expected none, "+
			"or another --data", redacted(v.str("target")), v["target"].source, dir, info.Target))
	}
	set["target"] = info.Target
	if !v.given("workers") {
		set["workers"] = "0"
	}
	for key, text := range set {
		v[key] = value{text, source}
	}
	v[attached] = value{"true", source}
	return nil
}

// reach gives the settings that v lacks to use the servers of an `up`; nil where v names others.
func (info upInfo) reach(v values, dir string) (map[string]string, error) {
	set := map[string]string{}
	for key, text := range map[string]string{"nats_url": info.NATS, "s3_url": info.S3} {
		if !v.given(key) {
			set[key] = text
		} else if v.str(key) != text {
			return nil, nil
		}
	}
	if v.given("s3_url") {
		return set, nil
	}
	keys, err := folderKeys(dir)
	maps.Copy(set, map[string]string{ // whatever is configured for another store
		"s3_access_key": keys.Access, "s3_secret_key": keys.Secret, "s3_session_token": "", "s3_region": "us-east-1",
		"s3_style": "auto", "s3_ca": "",
	})
	return set, err
}

// attachRole is attach for a process that does work itself, whoever else does.
func attachRole(v values) error {
	workers := v["workers"]
	err := attach(v)
	v["workers"] = workers
	return err
}

// attached is set where another process runs all roles.
const attached = "attached"

// announceUp writes upFile; the returned function takes it away.
func announceUp(p *plant) (func() error, error) {
	dir, err := p.settings.dataDir()
	if err != nil {
		return nil, err
	}
	info := upInfo{NATS: p.queueConfig().URL, S3: p.settings.str("s3_url")}
	if p.embedded.s3 != nil {
		info.S3 = p.embedded.s3.URL()
	}
	if info.Target, err = targetText(p.settings); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, upFile)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}
