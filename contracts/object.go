package contracts

import (
	"cmp"
	"path"
	"time"
)

// LocalBucket is the bucket of local files; no S3 bucket can have this name. Keys are absolute paths without the
// leading slash.
const LocalBucket = "file:"

// Object is one immutable version of a file in object storage.
type Object struct {
	Bucket    string    `json:"bucket"`
	Key       string    `json:"key"`
	VersionID string    `json:"version_id,omitempty"` // "" where the bucket keeps no versions
	ETag      string    `json:"etag"`                 // without quotes; pins the version where VersionID is ""
	Size      int64     `json:"size"`                 // bytes as stored
	Modified  time.Time `json:"-"`
}

// Version identifies the content: the version id, else the ETag.
func (o Object) Version() string { return cmp.Or(o.VersionID, o.ETag) }

// Address is what people call the object: s3://bucket/key, or the path of a local file.
func (o Object) Address() string {
	if o.Bucket == LocalBucket {
		return "/" + o.Key
	}
	return "s3://" + o.Bucket + "/" + o.Key
}

// File is the last part of the key.
func (o Object) File() string { return path.Base(o.Key) }

// CompareObjects orders objects as a job reads them: by bucket and key bytes.
func CompareObjects(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
}
