package penstock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("up.json", `{"nats":"nats://h:1","s3":"http://h:2"}`)
	write("credentials.json", `{"access_key":"a","secret_key":"s"}`)
	password := write("password", "pass\n")
	for _, c := range []struct {
		name, wrong string // part of the error
		env         map[string]string
		want        Settings
	}{
		{name: "up", env: map[string]string{"PENSTOCK_DATA": dir},
			want: Settings{NATS: "nats://h:1", S3: "http://h:2", Access: "a", Secret: "s"}},
		{name: "cluster", env: map[string]string{
			"PENSTOCK_NATS_URL": "nats://n", "PENSTOCK_S3_URL": "http://s", "PENSTOCK_NATS_USER": "u",
			"PENSTOCK_NATS_PASSWORD_FILE": password, "PENSTOCK_S3_ACCESS_KEY_FILE": password, "PENSTOCK_S3_SECRET_KEY": "k",
			"PENSTOCK_S3_SESSION_TOKEN": "t", "LOAD_BUSY": "yes"},
			want: Settings{NATS: "nats://n", S3: "http://s", User: "u", Password: "pass", Access: "pass", Secret: "k",
				Session: "t", Busy: true}},
		{name: "half", env: map[string]string{"PENSTOCK_NATS_URL": "nats://n"}, wrong: "found only one of"},
		{name: "nothing", env: map[string]string{"PENSTOCK_DATA": dir + "/none"}, wrong: "does a `penstock up` run"},
		{name: "no secret", env: map[string]string{"PENSTOCK_S3_SECRET_KEY_FILE": dir + "/none"},
			wrong: "PENSTOCK_S3_SECRET_KEY_FILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadSettings(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("error %v, expected %q", err, c.wrong)
				}
				return
			}
			c.want.Prefix, c.want.Region, c.want.Bucket = "penstock", "us-east-1", "penstock-load"
			if err != nil || got != c.want {
				t.Errorf("%+v, %v, expected %+v", got, err, c.want)
			}
		})
	}
}
