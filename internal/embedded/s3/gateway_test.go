package s3_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/s3"
	"github.com/penstock-io/penstock/internal/objects"
)

// The gateway is one per process: these tests do not run in parallel.

func TestDataSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := s3.Config{Dir: dir, AccessKey: "penstock", SecretKey: "kept-in-a-file"}
	s := start(t, c)
	before := objects.NewDocs(connect(t, s), fixture(t, connect(t, s)).Bucket)
	if err := before.Put(t.Context(), "jobs/1", []byte("state")); err != nil {
		t.Fatal(err)
	}
	buckets, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var bucket string
	for _, b := range buckets {
		if strings.HasPrefix(b.Name(), "bucket-") {
			bucket = b.Name()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	after := objects.NewDocs(connect(t, start(t, c)), bucket)
	data, etag, err := after.Get(t.Context(), "jobs/1")
	if err != nil || string(data) != "state" {
		t.Fatalf("after the restart: %q, %v", data, err)
	}
	if _, err := after.Replace(t.Context(), "jobs/1", []byte("next"), etag); err != nil {
		t.Error(err)
	}
	if now, err := os.Getwd(); err != nil || now != here {
		t.Errorf("the working directory is %s, %v; it was %s", now, err, here)
	}
}

// The gateway runs in a process of its own here, whose stdout is all its.
func TestStdoutStaysClean(t *testing.T) {
	if dir := os.Getenv("PENSTOCK_TEST_CHILD"); dir != "" {
		useOnce(t, dir)
		os.Exit(0) // before the test framework says anything
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStdoutStaysClean$")
	cmd.Env = append(os.Environ(), "PENSTOCK_TEST_CHILD="+t.TempDir())
	if said, err := cmd.Output(); err != nil || len(said) > 0 {
		t.Errorf("stdout: %q, %v", said, err)
	}
}

func useOnce(t *testing.T, dir string) {
	s := start(t, s3.Config{Dir: dir})
	if err := fixture(t, connect(t, s)).Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStartIsRefused(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config s3.Config
		says   string
	}{
		"folder is a file": {s3.Config{Dir: file}, "set PENSTOCK_DATA"},
		"half a key pair":  {s3.Config{Dir: t.TempDir(), AccessKey: "x"}, "go together"},
		"no host":          {s3.Config{Dir: t.TempDir(), Addr: "9000"}, "expected host:port"},
	} {
		_, err := s3.Start(t.Context(), c.config)
		if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := start(t, s3.Config{Dir: t.TempDir()}) // refusals leave nothing behind
	if _, err := s3.Start(t.Context(), s3.Config{Dir: t.TempDir()}); contracts.KindOf(err) != contracts.KindInternal {
		t.Errorf("a second one: %v", err)
	}
	taken := strings.TrimPrefix(s.URL(), "http://")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, s3.Config{Dir: t.TempDir(), Addr: taken})
}

func TestStrangersAreDenied(t *testing.T) {
	s := start(t, s3.Config{Dir: t.TempDir()})
	access, _ := s.Keys()
	for _, c := range []objects.S3Config{
		{URL: s.URL(), AccessKey: access, SecretKey: "guess"}, {URL: s.URL(), AccessKey: "guess", SecretKey: "guess"},
	} {
		client, err := objects.NewS3(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = objects.NewDocs(client, "bucket").Get(t.Context(), "key")
		if contracts.KindOf(err) != contracts.KindDenied {
			t.Errorf("%v", err)
		}
	}
}

// What a folder cannot hold is refused with a reason.
func TestNamesThatFoldersCannotHold(t *testing.T) {
	client := connect(t, start(t, s3.Config{Dir: t.TempDir()}))
	f := fixture(t, client)
	if err := f.Docs.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Docs.Put(t.Context(), "folder/b", nil); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"below an object": "a/b", "a folder": "folder", "long part": strings.Repeat("x", 256),
	} {
		err := f.Docs.Put(t.Context(), key, []byte("x"))
		if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), "refuses this name") {
			t.Errorf("%s: %q: %v", name, contracts.KindOf(err), err)
		}
	}
}

// The backend replaces an object by way of a name that is 28 bytes longer, so that 227 bytes is the longest part of a
// key that can be written twice.
func TestReplaceLongName(t *testing.T) {
	f := fixture(t, connect(t, start(t, s3.Config{Dir: t.TempDir()})))
	for _, n := range []int{200, 227, 228, 255} {
		key := strings.Repeat("x", n)
		if err := f.Docs.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
		_, err := f.Upload(t.Context(), f.Bucket, key, strings.NewReader("2"), 1)
		want := contracts.KindConfig
		if n <= 227 {
			want = ""
		}
		if contracts.KindOf(err) != want {
			t.Errorf("%d bytes: got kind %q, want %q: %v", n, contracts.KindOf(err), want, err)
		}
	}
}

func TestNotifications(t *testing.T) {
	news := make(chan []byte, 100)
	s := start(t, s3.Config{
		Dir: t.TempDir(), Notify: func(data []byte) { news <- data }, Silent: []string{"penstock-state"},
	})
	client := connect(t, s)
	for _, bucket := range []string{"penstock-state", "landing"} {
		if err := client.EnsureBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		for key, size := range map[string]int{"small file.csv": 3, "big+file.csv": 20 << 20} {
			if _, err := client.Upload(t.Context(), bucket, key, bytes.NewReader(make([]byte, size)), int64(size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	told := make(map[string]int64)
	for len(told) < 2 {
		data := <-news
		if bytes.Contains(data, []byte("penstock-state")) {
			t.Errorf("a silent bucket spoke: %s", data)
		}
		var message struct {
			Records []struct {
				S3 struct {
					Bucket struct{ Name string }
					Object struct {
						Key  string
						Size int64
					}
				}
			}
		}
		if err := json.Unmarshal(data, &message); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		for _, r := range message.Records {
			told[r.S3.Bucket.Name+"/"+r.S3.Object.Key] = r.S3.Object.Size
		}
	}
	if _, ok := told["landing/big%2Bfile.csv"]; !ok || told["landing/small+file.csv"] != 3 {
		t.Errorf("told of %v", told)
	}
}

func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := s3.Start(b.Context(), s3.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
