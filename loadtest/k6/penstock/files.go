package penstock

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

const (
	header   = "device,seq,at,level,note\n"
	uploads  = 8        // at a time, of one call
	partSize = 16 << 20 // bytes; what an upload keeps in memory
)

// File describes a file of readings that is made while it is uploaded: the same description has the same bytes.
type File struct {
	Key   string // its rows have keys of their own
	Bytes int64  // at most; at least one row
	Bad   int64  // every so manieth row has a level that is no number; 0: none
}

// Rows is how many records the file has.
func (f File) Rows() int64 { return max((f.Bytes-int64(len(header)))/int64(len(f.row(nil, 0))), 1) }

// Rejects is how many of its records are rejects.
func (f File) Rejects() int64 {
	if f.Bad <= 0 {
		return 0
	}
	return f.Rows() / f.Bad
}

// row appends one record; all have the same length.
func (f File) row(to []byte, n int64) []byte {
	at := time.UnixMilli(1_767_225_600_000 + n%1_000_000_000).UTC().Format("2006-01-02T15:04:05.000Z")
	level := fmt.Sprintf("%08d", (n*2_654_435_761)%100_000_000)
	if f.Bad > 0 && (n+1)%f.Bad == 0 {
		level = "too high"
	}
	return fmt.Appendf(to, "%s,%012d,%s,%s,ok\n", f.Key, n, at, level)
}

func (f File) size() int64 {
	return int64(len(header)) + f.Rows()*int64(len(f.row(nil, 0)))
}

// reader gives the file's bytes and keeps no more than one row.
type reader struct {
	file    File
	n, rows int64
	row     []byte
	left    []byte // of the row
}

func (f File) reader() *reader { return &reader{file: f, rows: f.Rows(), left: []byte(header)} }

func (r *reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.left) == 0 {
			if r.n == r.rows {
				break
			}
			r.row = r.file.row(r.row[:0], r.n)
			r.left = r.row
			r.n++
		}
		k := copy(p[n:], r.left)
		r.left = r.left[k:]
		n += k
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Upload puts a file into the bucket and returns its address.
func (c *Client) Upload(ctx context.Context, f File) (string, error) {
	address := "s3://" + c.settings.Bucket + "/" + f.Key
	_, err := c.s3.PutObject(ctx, c.settings.Bucket, f.Key, f.reader(), f.size(), minio.PutObjectOptions{
		ContentType: "text/csv", PartSize: partSize, NumThreads: 1, DisableContentSha256: true,
	})
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", address, err)
	}
	return address, nil
}

// UploadAll uploads n files like f, several at a time, with keys that end in their number from 0.
func (c *Client) UploadAll(ctx context.Context, f File, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		one := f
		one.Key = Numbered(f.Key, i)
		g.Go(func() error {
			_, err := c.Upload(ctx, one)
			return err
		})
	}
	return g.Wait()
}

// Numbered is the key of the i-th file.
func Numbered(key string, i int) string { return fmt.Sprintf("%s%07d.csv", key, i) }
