package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/testenv/servers"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

const bucketName, uploadsAtOnce = "landing", 8

// bucket holds the files that Penstock loads.
type bucket struct{ client *minio.Client }

func newBucket(ctx context.Context, s *servers.MinIO) (*bucket, error) {
	client, err := minio.New(strings.TrimPrefix(s.URL, "http://"),
		&minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, "")})
	if err != nil {
		return nil, fmt.Errorf("connect to the S3 server: %w", err)
	}
	if err := client.MakeBucket(ctx, bucketName, minio.MakeBucketOptions{}); err != nil {
		return nil, fmt.Errorf("make bucket %s: %w", bucketName, err)
	}
	return &bucket{client}, nil
}

// upload stores the files under a prefix of their own, and returns its address.
func (b *bucket) upload(ctx context.Context, f dataset.Files) (source string, err error) {
	prefix := filepath.Base(f.Dir) + "/"
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(uploadsAtOnce)
	for _, path := range f.Paths() {
		all.Go(func() error {
			_, err := b.client.FPutObject(ctx, bucketName, prefix+filepath.Base(path), path, minio.PutObjectOptions{})
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return "", fmt.Errorf("upload file %s: %w", f.Name, err)
	}
	return "s3://" + bucketName + "/" + prefix, nil
}
