//go:build !linux

package s3

// place leaves to posix what needs files without names.
func (r *rooted) place(string, string, []byte, bool, string) (string, error) { return "", errRequest }

// remove leaves it to posix.
func (r *rooted) remove(string, string) error { return errRequest }
