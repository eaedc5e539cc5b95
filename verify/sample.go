package verify

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/penstock-io/penstock/contracts"
)

// sample chooses n chunks of a plan, one out of each of n stretches of equal length, the same ones for the same job;
// all of them where n is 0 or there are no more.
func sample(job contracts.JobID, total, n int) []int {
	if n <= 0 || n > total {
		n = total
	}
	chosen := make([]int, n)
	for i := range chosen {
		from, to := i*total/n, (i+1)*total/n
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(job), uint64(i)))
		chosen[i] = from + int(binary.BigEndian.Uint64(sum[:])%uint64(to-from))
	}
	return chosen
}
