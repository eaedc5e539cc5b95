package kubedoctor

import (
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// nats holds what triggers ask for against what the servers have.
func (c *installation) nats() []Finding {
	var all []Finding
	for i := range c.scaled.items {
		o := &c.scaled.items[i]
		t := o.trigger()
		if t == nil || t.account() == "" {
			continue // scaling tells of it
		}
		if m := c.monitors[t.monitor()]; m != nil {
			all = append(all, c.serverFinding(o, t, m))
		}
	}
	return all
}

// serverFinding is what there is to say of one trigger. What KEDA reaches and we do not is no fault: policies may keep
// the API server from it.
func (c *installation) serverFinding(o *scaledObject, t *trigger, m *monitor) Finding {
	const part = "nats"
	where := t.Metadata["natsServerMonitoringEndpoint"]
	endpoint := o.edit(c.namespace, "spec.triggers, metadata.natsServerMonitoringEndpoint")
	switch {
	case m.wrong != "":
		return fault(part, fmt.Sprintf("%s asks NATS at %s: %s", o, where, m.wrong), endpoint)
	case len(m.servers) == 0 && m.refused.kind == forbidden:
		return fault(part, fmt.Sprintf("NATS at %s may not be asked: %s", where, m.refused.said), m.refused.hint())
	case len(m.servers) == 0 && o.content():
		return well(part, fmt.Sprintf("KEDA reaches %s; from here it could not be asked what it has (%s)", where,
			m.refused.said))
	case len(m.servers) == 0:
		return fault(part, fmt.Sprintf("NATS's monitoring port at %s does not answer (%s): expected its streams", where,
			m.refused.said), "is nats-server up, with `http_port`, and do NetworkPolicies let KEDA through? Else "+endpoint)
	}
	subjects := c.settings("worker").subjects()
	if detail, hint := m.lacks(t, subjects); detail != "" {
		if m.refused != nil {
			detail += "; a server of it did not answer: " + m.refused.said
		}
		if hint == "" {
			hint = o.edit(c.namespace, "spec.triggers, metadata.account")
		}
		return fault(part, "NATS at "+where+": "+detail, hint)
	}
	waiting := m.waiting(t.account(), subjects.Stream(contracts.StreamChunks))
	if active := o.Status.Conditions.find("Active"); active.Status == "False" && waiting > 0 && len(o.pauses()) == 0 {
		return fault(part, fmt.Sprintf("NATS at %s: %d chunks wait or are in work, and %s is not Active (%s): expected "+
			"workers", where, waiting, o, active.orStatus()), "look again after its pollingInterval; then: kubectl -n "+
			c.kedaNamespace()+" logs deployment/keda-operator")
	}
	return well(part, fmt.Sprintf("%s: account %s has the stream and its consumer; %d chunks wait or are in work", where,
		t.account(), waiting))
}

// lacks says what the workers' names are not found under; no hint where the trigger's account is at fault.
func (m *monitor) lacks(t *trigger, subjects contracts.Subjects) (detail, hint string) {
	const start = "start a dispatcher, which makes streams and consumers; is its PENSTOCK_NATS_PREFIX the workers'?"
	name, want := t.account(), subjects.Stream(contracts.StreamChunks)
	owners := m.owners(want)
	switch {
	case slices.ContainsFunc(m.servers, func(j jsz) bool { return j.Disabled }):
		return "JetStream is off: expected it to be on", "start nats-server with -js"
	case !slices.Contains(owners, name) && len(owners) > 0:
		return fmt.Sprintf("the stream %s is of the account %s: the trigger asks for %q", want, orNone(owners), name), ""
	case !slices.Contains(m.accounts(), name):
		return fmt.Sprintf("there is no account %q with JetStream: expected one of %s", name, orNone(m.accounts())), ""
	case len(owners) == 0:
		return fmt.Sprintf("account %s has no stream %s: it has %s", name, want, orNone(m.streams(name))), start
	}
	has := m.consumers(name, want)
	if slices.ContainsFunc(has, func(c consumer) bool { return c.Name == contracts.Consumer }) {
		return "", ""
	}
	var names []string
	for _, c := range has {
		names = append(names, c.Name)
	}
	return fmt.Sprintf("the stream %s has no consumer %s: it has %s", want, contracts.Consumer, orNone(names)), start
}

// each yields what the servers have: of a cluster, several may keep the same stream. A stream without a name stands for
// an account.
func (m *monitor) each(yield func(account, stream) bool) {
	for _, j := range m.servers {
		for _, a := range j.Accounts {
			if !yield(a, stream{}) {
				return
			}
			for _, s := range a.Streams {
				if !yield(a, s) {
					return
				}
			}
		}
	}
}

// is says that the account has a name or id.
func (a account) is(name string) bool { return a.Name == name || a.ID == name }

func (m *monitor) accounts() []string {
	var all []string
	for a := range m.each {
		all = append(all, a.Name, a.ID)
	}
	return sorted(all)
}

// owners are the accounts that have a stream of a name.
func (m *monitor) owners(name string) []string {
	var all []string
	for a, s := range m.each {
		if s.Name == name {
			all = append(all, a.Name, a.ID)
		}
	}
	return sorted(all)
}

func (m *monitor) streams(account string) []string {
	var all []string
	for a, s := range m.each {
		if a.is(account) {
			all = append(all, s.Name)
		}
	}
	return sorted(all)
}

func (m *monitor) consumers(account, name string) []consumer {
	var all []consumer
	for a, s := range m.each {
		if a.is(account) && s.Name == name {
			all = append(all, s.Consumers...)
		}
	}
	return all
}

// waiting is how many chunks wait or are in work; the consumer's leader knows most.
func (m *monitor) waiting(account, name string) int64 {
	var most int64
	for _, c := range m.consumers(account, name) {
		if c.Name == contracts.Consumer {
			most = max(most, c.Waiting+c.InWork)
		}
	}
	return most
}

// sorted drops "" and what is there twice.
func sorted(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}
