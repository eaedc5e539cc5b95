// Package kubedoctor says what is wrong with an installation on Kubernetes: what was found, what was expected, what to
// do. It owns the questions to the cluster, which the user's own kubectl asks, so that every way to log in works, and
// the findings, which are a pure function of the answers.
//
// What must never happen: a change to the cluster; a secret's value in this process, which asks for the names of keys
// alone; a part that could not be looked at and is called well.
package kubedoctor

// Finding is what there is to say of one part.
type Finding struct {
	Part   string // kubernetes, keda, metrics, scaling, nats, secrets, dispatcher, worker, pods, cassandra
	OK     bool
	Detail string // what was found and, where it is wrong, what was expected
	Hint   string // what to do; "" where all is well
}

func well(part, detail string) Finding { return Finding{Part: part, OK: true, Detail: detail} }

func fault(part, detail, hint string) Finding { return Finding{Part: part, Detail: detail, Hint: hint} }

// findings are those of the whole installation, in the order in which to mend them. Parts that there is nothing
// to say of are left out; one with several faults is there once for each.
func (c *installation) findings() []Finding {
	if c.stopped != nil {
		return []Finding{fault("kubernetes", c.stopped.said, c.stopped.hint())}
	}
	all := []Finding{well("kubernetes", "the API server answers; namespace "+c.namespace)}
	for _, part := range []func() []Finding{
		c.keda, c.metrics, c.scaling, c.nats, c.secrets, c.cassandra, c.deployments,
	} {
		all = append(all, part()...)
	}
	return all
}
