package penstock

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// Settings say where Penstock's servers are. Their variables are those of Penstock itself.
type Settings struct {
	NATS, Prefix          string // PENSTOCK_NATS_URL, PENSTOCK_NATS_PREFIX
	User, Password, Token string // PENSTOCK_NATS_USER, _PASSWORD, _TOKEN
	Creds, NKey           string // files: PENSTOCK_NATS_CREDS, _NKEY
	CA, Cert, Key         string // PEM files: PENSTOCK_NATS_CA, _CERT, _KEY

	S3, Region              string // PENSTOCK_S3_URL, _REGION
	Access, Secret, Session string // PENSTOCK_S3_ACCESS_KEY, _SECRET_KEY, _SESSION_TOKEN

	Monitor string // LOAD_MONITOR: http://host:8222, the monitoring port of NATS
	Bucket  string // LOAD_BUCKET: where the files go; it is made where it is missing
	Busy    bool   // LOAD_BUSY: measure although other jobs wait
}

// ReadSettings takes what lookup knows. Where neither NATS nor S3 is named, they are those of the `penstock up` of the
// data folder PENSTOCK_DATA.
func ReadSettings(lookup func(string) (string, bool)) (Settings, error) {
	var errs []error
	env := func(name string) string {
		v, err := value(lookup, name)
		errs = append(errs, err)
		return v
	}
	s := Settings{
		NATS: env("PENSTOCK_NATS_URL"), Prefix: env("PENSTOCK_NATS_PREFIX"),
		User: env("PENSTOCK_NATS_USER"), Password: env("PENSTOCK_NATS_PASSWORD"), Token: env("PENSTOCK_NATS_TOKEN"),
		Creds: env("PENSTOCK_NATS_CREDS"), NKey: env("PENSTOCK_NATS_NKEY"),
		CA: env("PENSTOCK_NATS_CA"), Cert: env("PENSTOCK_NATS_CERT"), Key: env("PENSTOCK_NATS_KEY"),
		S3: env("PENSTOCK_S3_URL"), Region: env("PENSTOCK_S3_REGION"),
		Access: env("PENSTOCK_S3_ACCESS_KEY"), Secret: env("PENSTOCK_S3_SECRET_KEY"),
		Session: env("PENSTOCK_S3_SESSION_TOKEN"),
		Monitor: env("LOAD_MONITOR"), Bucket: cmp.Or(env("LOAD_BUCKET"), "penstock-load"), Busy: env("LOAD_BUSY") != "",
	}
	s.Prefix = cmp.Or(s.Prefix, contracts.DefaultSubjects.Prefix)
	s.Region = cmp.Or(s.Region, "us-east-1")
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	switch {
	case s.NATS == "" && s.S3 == "":
		return s.ofUp(cmp.Or(env("PENSTOCK_DATA"), "penstock-data"))
	case s.NATS == "" || s.S3 == "":
		return s, fmt.Errorf("found only one of PENSTOCK_NATS_URL and PENSTOCK_S3_URL: set both, or neither and " +
			"PENSTOCK_DATA, the data folder of a `penstock up`")
	}
	return s, nil
}

// value is a variable's, or what is in the file that the variable with _FILE names.
func value(lookup func(string) (string, bool), name string) (string, error) {
	text, _ := lookup(name)
	path, _ := lookup(name + "_FILE")
	if path == "" || text != "" {
		return text, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// ofUp takes the addresses that a `penstock up` leaves in its data folder.
func (s Settings) ofUp(folder string) (Settings, error) {
	var up struct {
		NATS string `json:"nats"`
		S3   string `json:"s3"`
	}
	var keys struct {
		Access string `json:"access_key"`
		Secret string `json:"secret_key"`
	}
	err := readJSON(filepath.Join(folder, "up.json"), &up)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("neither PENSTOCK_NATS_URL and PENSTOCK_S3_URL are set, nor does a `penstock up` run on the "+
			"data folder %s: start one, or name its folder in PENSTOCK_DATA", folder)
	}
	if err == nil {
		err = readJSON(filepath.Join(folder, "credentials.json"), &keys)
	}
	s.NATS, s.S3, s.Access, s.Secret = up.NATS, up.S3, keys.Access, keys.Secret
	return s, err
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
