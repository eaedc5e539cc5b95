package s3

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// place puts an object as posix does, in a third of its steps: a file without a name gets bytes and ETag, and then,
// under posix's own lock of the key, its name. It keeps neither checksums nor a content type: nobody asks for those of
// documents, and with them the attributes do not fit into the inode. Empty objects are names of one file, since files
// are dear to make and to delete. fs.ErrExist and fs.ErrNotExist say that the condition does not hold; after any other
// error nothing was done, and posix does it, or says why not.
func (r *rooted) place(bucket, key string, data []byte, absent bool, etag string) (string, error) {
	sum := md5.Sum(data)
	p := placing{root: r.path(bucket), key: key, tag: hex.EncodeToString(sum[:]), absent: absent, etag: etag}
	if len(data) == 0 && etag == "" {
		if err := p.under(r.root, p.empty); !errors.Is(err, errRequest) {
			return p.tag, err
		}
	}
	fd, err := stage(p.root, data, p.tag)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return p.tag, p.under(r.root, func() error { return p.file(fd) })
}

const (
	attribute = "user." + etagAttribute // as the kernel calls it
	hidden    = ".sgwtmp"               // the folder of a bucket that posix keeps for itself
)

// placing is one object on its way to its place: what it is called, and the condition.
type placing struct {
	root   string // the folder of its bucket
	key    string
	tag    string // its ETag
	absent bool   // there must be none
	etag   string // there must be one with this ETag, where it is not ""
}

func (p placing) path() string { return p.root + "/" + p.key }

// stage makes a file without a name.
func stage(root string, data []byte, tag string) (fd int, err error) {
	fd, err = unix.Open(root, unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return -1, asked("make a file", err)
	}
	for n := 0; err == nil && len(data) > 0; data = data[max(n, 0):] {
		n, err = unix.Write(fd, data)
	}
	if err == nil {
		err = unix.Fsetxattr(fd, attribute, []byte(`"`+tag+`"`), 0)
	}
	if err != nil {
		unix.Close(fd)
		return -1, asked("write a file", err)
	}
	return fd, nil
}

// file makes a staged file the object.
func (p placing) file(fd int) error {
	if p.etag != "" {
		switch found, err := etagAt(p.path()); {
		case err != nil:
			return err
		case found != p.etag:
			return fs.ErrExist
		}
		return replace(fd, p.path())
	}
	err := p.inFolders(func() error { return linkFD(fd, p.path()) })
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, unix.EEXIST):
		return asked("name a file", err)
	case !p.absent:
		return replace(fd, p.path())
	}
	return p.exists()
}

// empty gives the bucket's empty file one more name. There may be too many of them already.
func (p placing) empty() error {
	like := p.root + "/" + hidden + "/empty"
	link := func() error { return unix.Link(like, p.path()) }
	err := p.inFolders(link)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EMLINK) {
		if err = p.another(like); err == nil {
			err = link()
		}
	}
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, unix.EEXIST):
		return asked("link a file", err)
	case p.absent:
		return p.exists()
	}
	if found, err := etagAt(p.path()); err != nil || found != p.tag {
		return asked("replace an object that is not empty", err)
	}
	return nil
}

// another makes the file of which empty objects are names, in the place of one that has too many.
func (p placing) another(like string) error {
	if err := os.Mkdir(path.Dir(like), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := stage(p.root, nil, p.tag)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err = linkFD(fd, like); errors.Is(err, unix.EEXIST) {
		err = replace(fd, like)
	}
	return err
}

// exists is the answer where a name is taken: by an object, or else by a folder or what posix takes for no object.
func (p placing) exists() error {
	if _, err := etagAt(p.path()); err != nil {
		return asked("look at what is there", err)
	}
	return fs.ErrExist
}

// inFolders does something where a name needs folders, and makes those that are missing.
func (p placing) inFolders(do func() error) error {
	err := do()
	if dir := path.Dir(p.key); errors.Is(err, unix.ENOENT) && dir != "." {
		if err = folders(p.root, dir); err == nil {
			err = do()
		}
	}
	return err
}

// folders makes a folder below root, which is there, and those that it is in.
func folders(root, dir string) error {
	err := unix.Mkdir(root+"/"+dir, 0o755)
	if above := path.Dir(dir); errors.Is(err, unix.ENOENT) && above != "." {
		if err = folders(root, above); err == nil {
			err = unix.Mkdir(root+"/"+dir, 0o755)
		}
	}
	if errors.Is(err, unix.EEXIST) { // or a file is: then nothing can be put there
		return nil
	}
	return err
}

// linkFD names a file that has no name. Not every process may do it without /proc.
func linkFD(fd int, at string) error {
	err := unix.Linkat(fd, "", unix.AT_FDCWD, at, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.ENOENT) {
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, at, unix.AT_SYMLINK_FOLLOW)
	}
	return err
}

// replace puts a file in the place of another, by way of a name that is a ghost for listings.
func replace(fd int, at string) error {
	dir, base := path.Split(at)
	ghost := fmt.Sprintf("%s.%s.sgwtmp.%d", dir, base, time.Now().UnixNano())
	if err := linkFD(fd, ghost); err != nil {
		return asked("name a file", err)
	}
	if err := unix.Rename(ghost, at); err != nil {
		unix.Unlink(ghost) //nolint:errcheck // a ghost that stays is never listed
		return asked("rename a file", err)
	}
	return nil
}

// under does something while it holds the lock of the key that posix takes for the same: see its lockObjectPublish.
func (p placing) under(data string, do func() error) error {
	bucket, shard := sha256.Sum256([]byte(p.root)), sha256.Sum256([]byte(p.key))
	file := fmt.Sprintf("%s/.vgwlocks/%x/%02x", data, bucket, shard[0])
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
	if errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(path.Dir(file), 0o755); err == nil {
			fd, err = unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
		}
	}
	if err != nil {
		return asked("open the lock of a key", err)
	}
	defer unix.Close(fd)
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		return asked("lock a key", err)
	}
	return do()
}

// remove deletes an object, and the folders that it leaves empty unless they were put as objects.
func (r *rooted) remove(bucket, key string) error {
	root := r.path(bucket)
	switch err := unix.Unlink(root + "/" + key); {
	case errors.Is(err, unix.ENOENT):
		return fs.ErrNotExist
	case err != nil:
		return asked("delete a file", err)
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if _, err := etagAt(root + "/" + dir); err == nil || unix.Rmdir(root+"/"+dir) != nil {
			break
		}
	}
	return nil
}

// etagAt is the ETag of what is at a path: fs.ErrNotExist where nothing is.
func etagAt(at string) (string, error) {
	var text [128]byte
	n, err := unix.Getxattr(at, attribute, text[:])
	switch {
	case errors.Is(err, unix.ENOENT):
		return "", fs.ErrNotExist
	case err != nil:
		return "", asked("read an ETag", err)
	}
	return strings.Trim(string(text[:n]), `"`), nil
}

// asked leaves to a request what failed.
func asked(what string, err error) error { return fmt.Errorf("%w: %s: %v", errRequest, what, err) }
