package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/internal/objects"
)

// addresses turns what a user names into sources of a job: S3 addresses as they are; local files by their absolute
// paths where this process reads them itself, else uploaded first.
func (p *plant) addresses(ctx context.Context, sources []string) ([]string, error) {
	var all []string
	for _, s := range sources {
		if strings.HasPrefix(s, "s3://") {
			all = append(all, s)
			continue
		}
		local, err := localAddress(s)
		if err != nil {
			return nil, err
		}
		if p.solo() {
			all = append(all, local)
			continue
		}
		uploaded, err := p.upload(ctx, local)
		if err != nil {
			return nil, err
		}
		all = append(all, uploaded...)
	}
	return all, nil
}

// inPlace gives the addresses of sources that are only looked at.
func inPlace(sources []string) ([]string, error) {
	all := make([]string, len(sources))
	for i, s := range sources {
		all[i] = s
		if strings.HasPrefix(s, "s3://") {
			continue
		}
		local, err := localAddress(s)
		if err != nil {
			return nil, err
		}
		all[i] = local
	}
	return all, nil
}

// localAddress is a path's absolute form. A file or folder of that very name is meant by it, whatever wildcards it
// holds; a folder ends in a slash.
func localAddress(s string) (string, error) {
	path := strings.TrimPrefix(s, "file://")
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", contracts.At(contracts.KindConfig, s, -1, "%w", err)
	}
	info, err := os.Stat(abs)
	gone := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	switch {
	case err == nil && info.IsDir():
		return dispatcher.EscapeGlob(filepath.ToSlash(abs)) + "/**", nil
	case err == nil:
		return dispatcher.EscapeGlob(filepath.ToSlash(abs)), nil
	case gone && strings.ContainsAny(path, `*?[\`):
		return absoluteGlob(path)
	case gone:
		return "", usageError(contracts.At(contracts.KindMissing, abs, -1,
			"no such file or folder: expected one of this machine's, a glob, or s3://bucket/key"))
	default:
		return "", contracts.At(contracts.KindDenied, abs, -1, "%w", err)
	}
}

// absoluteGlob is a pattern in the working folder, whose own name is none.
func absoluteGlob(pattern string) (string, error) {
	if filepath.IsAbs(pattern) {
		return filepath.ToSlash(filepath.Clean(pattern)), nil
	}
	folder, err := os.Getwd()
	if err != nil {
		return "", contracts.At(contracts.KindConfig, pattern, -1, "%w", err)
	}
	return filepath.ToSlash(filepath.Join(dispatcher.EscapeGlob(folder), pattern)), nil
}

// upload brings the local files that a source names into the state bucket. The key holds the path and the content's
// hash, so that a file that did not change is the same object, and one that did does not disturb a running job.
func (p *plant) upload(ctx context.Context, source string) ([]string, error) {
	var addresses []string
	for o, err := range dispatcher.Find(ctx, p.objects, source) {
		if err != nil {
			return nil, err
		}
		address, err := p.uploadFile(ctx, "/"+o.Key)
		if err != nil {
			return nil, fmt.Errorf("upload %s: %w", o.Address(), err)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

func (p *plant) uploadFile(ctx context.Context, path string) (address string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return "", err
	}
	bucket := p.settings.str("state_bucket")
	key := fmt.Sprintf("uploads%s!%s/%s", path, hex.EncodeToString(hash.Sum(nil)[:8]), filepath.Base(path))
	address = "s3://" + bucket + "/" + dispatcher.EscapeGlob(key)
	if o, err := p.s3.Stat(ctx, bucket, key); err == nil && o.Size == size {
		return address, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	_, err = p.s3.Upload(ctx, bucket, key, f, size)
	return address, err
}

// sourceObjects are the objects that jobs may name. A folder that holds the data folder does not mean what is in there.
type sourceObjects struct {
	*objects.Router
	data string // key of the data folder, with a slash
}

// List leaves the data folder out, unless it is what is listed.
func (s sourceObjects) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error] {
	all := s.Router.List(ctx, bucket, prefix, after)
	if bucket != contracts.LocalBucket || strings.HasPrefix(prefix, s.data) {
		return all
	}
	return func(yield func(contracts.Object, error) bool) {
		for o, err := range all {
			if strings.HasPrefix(o.Key, s.data) {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}
