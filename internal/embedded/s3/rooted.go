package s3

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// rooted gives the posix backend absolute paths for bucket names. By itself it takes them relative to the working
// directory, which is not ours to move: users name their files by it. What is not passed on is not implemented.
type rooted struct {
	backend.BackendUnsupported
	posix *posix.Posix
	root  string
}

// steadyAttempts is how often a read starts over because the object was replaced under it.
const steadyAttempts = 10

func (r *rooted) path(bucket string) string { return filepath.Join(r.root, bucket) }

func (r *rooted) at(bucket *string) *string {
	p := r.path(*bucket)
	return &p
}

// Shutdown releases the folder.
func (r *rooted) Shutdown() { r.posix.Shutdown() }

// String names the backend.
func (r *rooted) String() string { return r.posix.String() }

// NormalizeObjectKey does not touch the disk.
func (r *rooted) NormalizeObjectKey(bucket, object string) string {
	return r.posix.NormalizeObjectKey(bucket, object)
}

// ListBuckets lists the folders whose names can be buckets.
func (r *rooted) ListBuckets(
	ctx context.Context, in s3response.ListBucketsInput,
) (out s3response.ListAllMyBucketsResult, err error) {
	entries, err := os.ReadDir(r.root)
	if err != nil {
		return out, err
	}
	out.Owner.ID, out.Prefix = in.Owner, in.Prefix
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !utils.IsValidBucketName(name) || !strings.HasPrefix(name, in.Prefix) ||
			name <= in.ContinuationToken {
			continue
		}
		if in.MaxBuckets > 0 && len(out.Buckets.Bucket) == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[len(out.Buckets.Bucket)-1].Name
			break
		}
		info, err := e.Info()
		if err != nil {
			continue // it was deleted meanwhile
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket,
			s3response.ListAllMyBucketsEntry{Name: name, CreationDate: info.ModTime()})
	}
	return out, nil
}

// ghost is the name under which posix links a new version for a moment before it renames it.
var ghost = regexp.MustCompile(`^\..*\.sgwtmp\.[0-9]+$`)

// entries makes objects of files and leaves out ghosts.
func (r *rooted) entries(bucket string, owner bool) backend.GetObjFunc {
	object := r.posix.FileToObj(bucket, owner)
	return func(path string, d fs.DirEntry) (s3response.Object, error) {
		if ghost.MatchString(d.Name()) {
			return s3response.Object{}, backend.ErrSkipObj
		}
		return object(path, d)
	}
}

// ListObjects lists one page.
func (r *rooted) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	q, name := *in, in.Bucket
	q.Bucket = r.at(name)
	out, err := r.posix.ListObjectsParametrized(ctx, &q, r.entries)
	out.Name = name
	return out, err
}

// ListObjectsV2 lists one page.
func (r *rooted) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	q, name := *in, in.Bucket
	q.Bucket = r.at(name)
	out, err := r.posix.ListObjectsV2Parametrized(ctx, &q, r.entries)
	out.Name = name
	return out, err
}

// HeadObject describes one version: see steady.
func (r *rooted) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (out *s3.HeadObjectOutput, err error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	err = r.steady(*q.Bucket, in.Key, func() (err error) {
		out, err = r.posix.HeadObject(ctx, &q)
		return err
	}, func() {})
	return out, err
}

// GetObject reads one version: see steady.
func (r *rooted) GetObject(ctx context.Context, in *s3.GetObjectInput) (out *s3.GetObjectOutput, err error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	err = r.steady(*q.Bucket, in.Key, func() (err error) {
		out, err = r.posix.GetObject(ctx, &q)
		return err
	}, func() {
		if out != nil && out.Body != nil {
			out.Body.Close()
		}
	})
	return out, err
}

// steady repeats op, after undo, when the object was replaced while it ran: posix looks up size, ETag and content one
// after another by name, and would mix two versions. Each version is a file of its own, so that comparing files tells.
func (r *rooted) steady(bucket string, key *string, op func() error, undo func()) error {
	if key == nil {
		return op()
	}
	path := filepath.Join(bucket, *key)
	for range steadyAttempts {
		before, missing := os.Stat(path)
		err := op()
		after, gone := os.Stat(path)
		same := missing == nil && gone == nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime())
		if same || missing != nil && gone != nil {
			return err
		}
		undo()
	}
	return errors.Join(s3err.GetAPIError(s3err.ErrInternalError), errors.New("the object is replaced too often"))
}
