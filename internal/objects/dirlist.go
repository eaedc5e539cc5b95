package objects

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// nameBatch is how many names of one folder are sorted at a time. A folder with more is read again for each further
// batch: that bounds memory by the depth of the tree instead of its size.
const nameBatch = 100_000

// List yields the regular files whose keys start with prefix and come after after, in byte order of keys, as S3 would.
// Links are followed, but not into a folder that the walk is in; sockets, pipes and devices are left out, and so are
// files that vanish meanwhile. A prefix that matches nothing is no error. What cannot be an object (a link that leads
// nowhere, a name that is no text, a folder that may not be read) is an error with its key, and the listing goes on.
func (d *Dir) List(ctx context.Context, _, prefix, after string) iter.Seq2[contracts.Object, error] {
	return func(yield func(contracts.Object, error) bool) {
		w := walk{ctx: ctx, prefix: prefix, after: after, batch: nameBatch, yield: yield}
		if err := w.folder(prefix[:strings.LastIndexByte(prefix, '/')+1], nil); err != nil && err != errEnough {
			yield(contracts.Object{}, err)
		}
	}
}

var errEnough = errors.New("the caller has enough")

type walk struct {
	ctx           context.Context
	prefix, after string
	batch         int
	yield         func(contracts.Object, error) bool
}

// folder walks below key, which ends with a slash or is "". Above are the folders that the walk is in.
func (w *walk) folder(key string, above []fs.FileInfo) error {
	o := contracts.Object{Bucket: contracts.LocalBucket, Key: key}
	info, err := os.Stat(o.Address())
	if err != nil {
		return vanished(local(o, "list", err))
	}
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		return nil
	}
	above = append(slices.Clip(above), info)
	for last := ""; ; {
		names, err := w.names(o, last)
		if err != nil {
			return w.tell(o, vanished(err))
		}
		for _, name := range names {
			if err := w.entry(key+name, above); err != nil {
				return err
			}
		}
		if len(names) < w.batch {
			return nil
		}
		last = names[len(names)-1]
	}
}

// entry yields a file or walks a folder, whose key ends with a slash.
func (w *walk) entry(key string, above []fs.FileInfo) error {
	if strings.HasSuffix(key, "/") {
		return w.folder(key, above)
	}
	if w.ctx.Err() != nil {
		return contracts.At(contracts.KindInterrupted, "/"+key, -1, "list: %w", context.Cause(w.ctx))
	}
	o := contracts.Object{Bucket: contracts.LocalBucket, Key: key}
	info, err := os.Stat(o.Address())
	if err != nil {
		return w.lost(o, err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if o, err = file(key, info); err != nil {
		return w.tell(o, err)
	}
	if !w.yield(o, nil) {
		return errEnough
	}
	return nil
}

// tell yields an error of one object or folder.
func (w *walk) tell(o contracts.Object, err error) error {
	if err != nil && !w.yield(o, err) {
		return errEnough
	}
	return nil
}

// lost forgives a file that is no longer there, and tells of a link that leads nowhere.
func (w *walk) lost(o contracts.Object, err error) error {
	to, lerr := os.Readlink(o.Address())
	if lerr != nil {
		return w.tell(o, vanished(local(o, "list", err)))
	}
	return w.tell(o, contracts.At(contracts.KindMissing, o.Address(), -1, "a symbolic link to %s, which is not there", to))
}

// names returns the first names of a folder after last, at most batch, in byte order; folders end with a slash, because
// that is what their files' keys sort by.
func (w *walk) names(o contracts.Object, last string) ([]string, error) {
	f, err := os.Open(o.Address())
	if err != nil {
		return nil, local(o, "list", err)
	}
	defer f.Close()
	var names []string
	for {
		entries, err := f.ReadDir(4096)
		for _, e := range entries {
			if name := w.name(o, e); name > last && w.wants(o.Key+name) {
				names = append(names, name)
			}
		}
		if len(names) > 2*w.batch || err != nil {
			slices.Sort(names)
			names = names[:min(len(names), w.batch)]
		}
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, local(o, "list", err)
		}
	}
}

// name is the entry's name, with a slash for a folder or a link to one.
func (w *walk) name(o contracts.Object, e fs.DirEntry) string {
	folder := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(o.Address() + e.Name())
		folder = err == nil && info.IsDir()
	}
	if folder {
		return e.Name() + "/"
	}
	return e.Name()
}

// wants says whether a key, or one below it for a folder, has the prefix and comes after after.
func (w *walk) wants(key string) bool {
	if strings.HasSuffix(key, "/") {
		return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
			(key > w.after || strings.HasPrefix(w.after, key))
	}
	return strings.HasPrefix(key, w.prefix) && key > w.after
}

// vanished forgives what is no longer there.
func vanished(err error) error {
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	}
	return err
}
