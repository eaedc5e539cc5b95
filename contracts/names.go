package contracts

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
	"time"
)

// JobID names one job. It fits a subject token, a key and a host name.
type JobID string

var nameRE = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// CheckName says whether s may name a pipeline or a job; what is the noun for the message.
func CheckName(what, s string) error {
	if nameRE.MatchString(s) {
		return nil
	}
	return Errorf(KindConfig, "%s %q: expected 1 to 64 of a-z, 0-9, _ and -", what, s)
}

// idText writes hashes into names: lower case, no padding, sorts as the bytes do.
var idText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewJobID makes an id that sorts by time, to the millisecond, and is the same for the same time and seed.
func NewJobID(at time.Time, seed string) JobID {
	sum := sha256.Sum256([]byte(seed))
	when := strings.Replace(at.UTC().Format("20060102t150405.000"), ".", "", 1)
	return JobID(when + "-" + idText.EncodeToString(sum[:5]))
}
