package sqlite

import (
	"errors"
	"strings"

	driver "modernc.org/sqlite"

	"github.com/penstock-io/penstock/contracts"
)

// SQLite's primary result codes that we tell apart (sqlite.org/rescode.html).
const (
	codeError      = 1
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeProtocol   = 15
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeAuth       = 23
	codeNotADB     = 26
)

// codeOf is the primary result code of an error of SQLite; 0 of any other.
func codeOf(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// refuses says that the database will never take this row, whatever else happens.
func refuses(err error) bool {
	switch codeOf(err) {
	case codeConstraint, codeTooBig, codeMismatch:
		return true
	default:
		return false
	}
}

// fail gives an error its kind, the file's path and what to do.
func (db *DB) fail(err error, doing string) error {
	var known *contracts.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return contracts.Errorf(known.Kind, "sqlite %s: %w", db.path, err)
	}
	kind, hint := classify(err)
	if hint != "" {
		hint = ": " + hint
	}
	return contracts.Errorf(kind, "sqlite %s: %s: %w%s", db.path, doing, err, hint)
}

func classify(err error) (kind contracts.Kind, hint string) {
	switch codeOf(err) {
	case codeBusy, codeLocked, codeProtocol:
		return contracts.KindUnavailable, "another process holds the file: let it finish or stop it"
	case codeFull:
		return contracts.KindUnavailable, "free some disk space"
	case codeIO:
		return contracts.KindUnavailable, "check the disk and its free space"
	case codeReadOnly, codePerm, codeAuth:
		return contracts.KindDenied, "make the file and its folder writable"
	case codeCantOpen:
		return contracts.KindDenied, "check the permissions of the file and its folder"
	case codeCorrupt:
		return contracts.KindConfig, "the file is damaged: restore it, or name another"
	case codeNotADB:
		return contracts.KindConfig, "the file is no SQLite database: name another"
	case codeError:
		return contracts.KindConfig, schemaHint(err)
	default:
		return contracts.KindOf(err), ""
	}
}

func schemaHint(err error) string {
	if strings.Contains(err.Error(), "no such") {
		return "the table has changed since this writer was opened"
	}
	return ""
}
