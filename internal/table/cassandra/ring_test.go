package cassandra

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

func TestEntriesAreGroupedByOwner(t *testing.T) {
	t.Parallel()
	tokens := []int64{math.MinInt64 + 1, -50, -49, 0, 10, 11, 20, 21, 100, math.MaxInt64}
	for _, c := range []struct {
		name  string
		nodes map[string][]string
		want  []int64
	}{
		{"no node", nil, tokens},
		{"one", map[string][]string{"a": {"-50", "10"}}, tokens},
		{"two", map[string][]string{"a": {"-50", "20"}, "b": {"10", "30"}},
			[]int64{math.MinInt64 + 1, -50, 11, 20, 100, math.MaxInt64, -49, 0, 10, 21}},
		{"a token that is none", map[string][]string{"a": {"x"}, "b": {"0"}}, tokens},
	} {
		r := new(ring)
		for node, own := range c.nodes {
			r.add(node, []string{"7"}) // as they were before they moved
			r.add(node, own)
		}
		r.add("gone", []string{"12"})
		r.remove("gone")
		var entries []entry
		for _, token := range tokens {
			entries = append(entries, entry{token: token})
		}
		var got []int64
		for _, e := range r.group(entries) {
			got = append(got, e.token)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
}

// TestBatchesGoToTheOwnerOfTheirFirstPartition asks the driver's policy where it sends what we hand it, and our ring.
func TestBatchesGoToTheOwnerOfTheirFirstPartition(t *testing.T) {
	t.Parallel()
	r := new(ring)
	policy := gocql.TokenAwareHostPolicy(local{gocql.RoundRobinHostPolicy(), r})
	cluster := clusterConfig(config(t, testenv.Cassandra(t)), "", nil, r)
	cluster.PoolConfig.HostSelectionPolicy = policy
	s, err := connect(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	f := readings(t, connected(t))
	w := f.writer(cql.WriteOptions{})
	for i := range 10 {
		first := row(fmt.Sprint("device ", i), "1", 1, "x")
		b := new(bound)
		b.fold(w, first, 0)
		b.route(w, first)
		req := s.NewBatch(gocql.UnloggedBatch)
		req.Entries = b.entry[:]
		key, err := req.GetRoutingKey()
		if err != nil || string(key) != fmt.Sprint("device ", i) {
			t.Fatalf("routed by %q, %v", key, err)
		}
		token, _ := cql.Token(first.PartitionBytes(), nil)
		if picked := policy.Pick(req)(); picked == nil || picked.Info().HostID() != r.owner(token) {
			t.Errorf("sent to %v, expected the owner %s of %d", picked, r.owner(token), token)
		}
	}
}

// owner is the node whose token is the first from this one on.
func (r *ring) owner(token int64) string {
	arcs := r.arcs()
	i, _ := slices.BinarySearchFunc(arcs, token, func(a arc, token int64) int { return cmp.Compare(a.end, token) })
	return arcs[i%len(arcs)].node
}
