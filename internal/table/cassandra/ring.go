package cassandra

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/gocql/gocql"
)

// ring is who owns which tokens among the nodes of the local data centre, as the driver knows it. The zero value is a
// ring without nodes.
type ring struct {
	mu    sync.Mutex
	nodes map[string][]int64 // tokens by the node's id
}

// add takes over the tokens of a node, in the text form in which the driver has them.
func (r *ring) add(node string, tokens []string) {
	own := make([]int64, 0, len(tokens))
	for _, t := range tokens {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			own = append(own, n)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes == nil {
		r.nodes = map[string][]int64{}
	}
	r.nodes[node] = own
}

func (r *ring) remove(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.nodes, node)
}

// arc is the part of the ring behind the token of the arc before it, up to and with its own.
type arc struct {
	end  int64
	node string
}

// arcs are the ring's, in its order.
func (r *ring) arcs() []arc {
	r.mu.Lock()
	defer r.mu.Unlock()
	var arcs []arc
	for node, tokens := range r.nodes {
		for _, t := range tokens {
			arcs = append(arcs, arc{t, node})
		}
	}
	slices.SortFunc(arcs, func(a, b arc) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.node, b.node))
	})
	return arcs
}

// group orders entries, which are sorted by token, by the node that owns them, and by token within it. The driver sends
// a batch to the owner of its first partition, which writes what it has a replica of itself and sends each other
// partition on: so those that share a batch should share their owner.
func (r *ring) group(entries []entry) []entry {
	arcs := r.arcs()
	if len(arcs) == 0 {
		return entries
	}
	owned := map[string][][]entry{}
	rest := entries
	for _, a := range arcs {
		n, _ := slices.BinarySearchFunc(rest, a.end, func(e entry, end int64) int {
			if e.token <= end {
				return -1
			}
			return 1
		})
		owned[a.node] = append(owned[a.node], rest[:n])
		rest = rest[n:]
	}
	owned[arcs[0].node] = append(owned[arcs[0].node], rest) // behind the last token the ring begins again
	if len(owned) == 1 {
		return entries
	}
	grouped := make([]entry, 0, len(entries))
	for _, node := range slices.Sorted(maps.Keys(owned)) {
		for _, part := range owned[node] {
			grouped = append(grouped, part...)
		}
	}
	return grouped
}

// local is the driver's choice among the nodes of the local data centre, seen by a ring.
type local struct {
	gocql.HostSelectionPolicy
	ring *ring
}

// IsLocal keeps the driver from a panic: while the only node of a cluster moves to another address its ring is empty,
// and the token-aware policy then asks whether no host is a local one.
func (p local) IsLocal(h *gocql.HostInfo) bool { return h != nil && p.HostSelectionPolicy.IsLocal(h) }

// AddHost is called for each node that the driver finds, and again when its tokens change.
func (p local) AddHost(h *gocql.HostInfo) {
	p.ring.add(h.HostID(), h.Tokens())
	p.HostSelectionPolicy.AddHost(h)
}

// RemoveHost is called for each node that has left.
func (p local) RemoveHost(h *gocql.HostInfo) {
	p.ring.remove(h.HostID())
	p.HostSelectionPolicy.RemoveHost(h)
}
