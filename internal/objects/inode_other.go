//go:build !unix

package objects

import "io/fs"

// inode is 0 where files have none: size and time must do.
func inode(fs.FileInfo) uint64 { return 0 }
