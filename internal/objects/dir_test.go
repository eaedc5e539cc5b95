package objects_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

func write(t *testing.T, path, data string) contracts.Object {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := objects.NewDir().Stat(t.Context(), contracts.LocalBucket, path[1:])
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestLinksAndOddFiles(t *testing.T) {
	t.Parallel()
	root, elsewhere := t.TempDir(), t.TempDir()
	write(t, root+"/real/a.csv", "a")
	write(t, elsewhere+"/b.csv", "b")
	for link, target := range map[string]string{
		"link.csv": root + "/real/a.csv", "outside": elsewhere, "real/loop": root, "self": "self", "broken": "nothing",
		"real/up": "..",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", root+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var got []string
	d := objects.NewDir()
	for o, err := range d.List(t.Context(), contracts.LocalBucket, root[1:]+"/", "") {
		if err != nil {
			wantError(t, err, contracts.KindMissing, "/"+o.Key+": a symbolic link to ")
			got = append(got, o.Key[len(root):]+" leads nowhere")
			continue
		}
		got = append(got, o.Key[len(root):])
	}
	want := []string{"broken leads nowhere", "link.csv", "outside/b.csv", "real/a.csv", "self leads nowhere"}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	_, err = d.Stat(t.Context(), contracts.LocalBucket, root[1:]+"/socket")
	wantError(t, err, contracts.KindInput, root+"/socket: not a regular file")
	_, err = d.Stat(t.Context(), contracts.LocalBucket, root[1:]+"/real")
	wantError(t, err, contracts.KindMissing, "a folder, not a file")
}

func TestNameThatIsNoText(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(root+"/caf\xe9.csv", nil, 0o644); err != nil {
		testenv.Skip(t, "this file system takes UTF-8 names only")
	}
	write(t, root+"/d.csv", "behind it")
	var errs []error
	for _, err := range objects.NewDir().List(t.Context(), contracts.LocalBucket, root[1:]+"/", "") {
		errs = append(errs, err)
	}
	if len(errs) != 2 || errs[1] != nil {
		t.Fatalf("found %v, expected an error and then the file behind it", errs)
	}
	wantError(t, errs[0], contracts.KindInput, "not UTF-8: rename it")
}

// A file that is written in place while it is read is refused in the end, by Read or by Close.
func TestFileChangesWhileRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*os.File) error{
		"grows":     func(f *os.File) error { _, err := f.WriteAt([]byte("more"), 100_000); return err },
		"shrinks":   func(f *os.File) error { return f.Truncate(10) },
		"truncated": func(f *os.File) error { return f.Truncate(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/data.csv"
			o := write(t, path, strings.Repeat("x", 100_000))
			for _, all := range []bool{true, false} {
				r, err := objects.NewDir().Open(t.Context(), o, 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
					t.Fatal(err)
				}
				f, err := os.OpenFile(path, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				if err := change(f); err != nil {
					t.Fatal(err)
				}
				f.Close()
				if all {
					_, err = io.ReadAll(r)
					wantError(t, err, contracts.KindChanged, path+": the object changed under the job")
				}
				wantError(t, r.Close(), contracts.KindChanged, "changed under the job")
				o = write(t, path, strings.Repeat("x", 100_000))
			}
		})
	}
}

func TestRouter(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/x.csv"
	file := write(t, path, "local")
	s := shared(t)
	remote := upload(t, s, bucketFixture(t, s).Bucket, "x.csv", "remote")
	both := objects.NewRouter(s, objects.NewDir())
	for want, o := range map[string]contracts.Object{"local": file, "remote": remote} {
		if got := readAll(t, both, o); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
		if got, err := both.Stat(t.Context(), o.Bucket, o.Key); err != nil || got.ETag != o.ETag {
			t.Errorf("stat: %+v, %v", got, err)
		}
		for got, err := range both.List(t.Context(), o.Bucket, o.Key, "") {
			if err != nil || got.Key != o.Key {
				t.Errorf("list: %+v, %v", got, err)
			}
		}
	}
	none := objects.NewRouter(nil, nil)
	_, err := none.Open(t.Context(), file, 0, -1)
	wantError(t, err, contracts.KindConfig, path+": local files cannot be read here")
	_, err = none.Stat(t.Context(), remote.Bucket, "x.csv")
	wantError(t, err, contracts.KindConfig, "set PENSTOCK_S3_URL")
	for _, err = range none.List(t.Context(), contracts.LocalBucket, "data/", "") {
	}
	wantError(t, err, contracts.KindConfig, "/data/: local files")
}
