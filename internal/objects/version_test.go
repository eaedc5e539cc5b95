package objects_test

import (
	"io"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// versionedBucket keeps every version.
func versionedBucket(t *testing.T, s *objects.S3) string {
	t.Helper()
	e := testenv.S3(t)
	admin, err := minio.New(strings.TrimPrefix(e.URL, "http://"),
		&minio.Options{Creds: credentials.NewStaticV4(e.AccessKey, e.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	bucket := testenv.Bucket(t)
	if err := s.EnsureBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	if err := admin.EnableVersioning(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return bucket
}

func upload(t *testing.T, s *objects.S3, bucket, key, data string) contracts.Object {
	t.Helper()
	o, err := s.Upload(t.Context(), bucket, key, strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func readAll(t *testing.T, s objects.Store, o contracts.Object) string {
	t.Helper()
	r, err := s.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestVersionsArePinned(t *testing.T) {
	t.Parallel()
	s := shared(t)
	bucket := versionedBucket(t, s)
	old := upload(t, s, bucket, "b", "same")
	now := upload(t, s, bucket, "b", "same") // same content, same ETag, another version
	upload(t, s, bucket, "gone", "x")
	if err := objects.NewDocs(s, bucket).Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	upload(t, s, bucket, "a", "x")
	if old.VersionID == "" || old.VersionID == now.VersionID || old.ETag != now.ETag {
		t.Fatalf("versions %+v and %+v", old, now)
	}
	if got := readAll(t, s, old); got != "same" {
		t.Errorf("the old version: %q", got)
	}
	var keys []string
	for o, err := range s.List(t.Context(), bucket, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		stat, err := s.Stat(t.Context(), bucket, o.Key)
		if err != nil || stat.Version() != o.Version() {
			t.Errorf("listed version %q, stat says %q, %v", o.Version(), stat.Version(), err)
		}
		keys = append(keys, o.Key)
	}
	if strings.Join(keys, " ") != "a b" {
		t.Errorf("listed %q, want a and b: the newest version of each, and nothing deleted", keys)
	}
	old.VersionID = "0b8d5a53-8e9c-4e7e-8a53-2c7b0a9d0e61"
	_, err := s.Open(t.Context(), old, 0, -1)
	wantError(t, err, contracts.KindChanged, "it was deleted")
}
