package ndjson

import "bytes"

// order remembers which names came after one another in the objects at one place.
type order struct {
	first name             // stands before the first one
	known map[string]*name // by their text
}

// name is one that was read before.
type name struct {
	text  []byte // as written, from its quote through the colon
	child *node  // nil where nobody asks
	next  *name  // that followed it last
}

// The names that an order remembers: of files with other names in each line it forgets most.
const (
	maxNames = 256
	maxName  = 256 // bytes
)

// at says whether the name stands at i. Where the same bytes stood before they were in order, so they are now.
func (n *name) at(b []byte, i int) bool {
	return n != nil && len(b)-i >= len(n.text) && string(b[i:i+len(n.text)]) == string(n.text)
}

// learn notes that a name, as in name.text, followed last, and gives it back with its node.
func (n *node) learn(last *name, text []byte, escaped bool) (*name, *node) {
	o := &n.order
	known := o.known[string(text)]
	if known == nil {
		child := n.child(text[1:bytes.LastIndexByte(text, '"')], escaped)
		if len(o.known) == maxNames || len(text) > maxName {
			return last, child
		}
		if o.known == nil {
			o.known = map[string]*name{}
		}
		known = &name{text: bytes.Clone(text), child: child}
		o.known[string(text)] = known
	}
	last.next = known
	return known, known.child
}
