package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// explain gives those commands a longer help that are needed when a load has failed, or that have a second form.
func explain(root *cobra.Command) {
	for _, h := range longHelp() {
		if c, rest, err := root.Find(strings.Fields(h.command)); err == nil && len(rest) == 0 {
			c.Long = c.Short + ".\n\n" + strings.TrimSpace(h.text)
		}
	}
}

// help is what a command says of itself after its first line.
type help struct{ command, text string }

func longHelp() []help {
	return []help{
		{"load", `
PIPELINE is a file, which is applied first, or the name of an applied pipeline; "penstock load --table
KEYSPACE.TABLE SOURCE…" does without. A SOURCE is a file, a folder, a glob or s3://bucket/key-or-prefix. What was
loaded before is skipped. Exit code: 0 done, 3 done with rejects, 1 failed.`},
		{"retry", `
A new job of the same sources and the same revision of the pipeline; what is loaded is skipped. For the outage that is
over and the object that was put right. It does not see a pipeline that was mended since, nor a local file that was
uploaded: load these again. Rejects are not loaded again: see "penstock rejects".`},
		{"rejects", `
Each reject has its file, byte, record, column, rule and reason. Once the pipeline is mended and applied, --replay
loads these records again by a new job. They win over later records of the same keys: where that is wrong, --whole
loads the files that they are of again, in order.`},
		{"dead", `
A chunk is dead when its object is at fault, or when it failed too often ("penstock config": attempts). The rest of
its job is loaded. "dead list" has where and why, "dead show" all that is known, "dead replay" loads it again without
the rest; "retry" is for objects that were put right. Messages that can be no job are listed, too.`},
		{"dead show", `"penstock dead show MESSAGE" is about a refused message; "penstock dead list" has both.`},
		{"dead replay", `
The rows keep the write times of their job, so that later ones stay. Chunks that were loaded are not touched: where
the table has lost rows or was made again, "verify --full --repair" brings theirs back. "penstock dead replay MESSAGE"
publishes a refused message again.`},
		{"dead discard", `
Nothing is deleted: "dead list --all" lists it. "penstock dead discard MESSAGE" is about a refused message.`},
		{"verify", `
Right is a cell with the value and write time of the job, superseded one that was written later. Where a cell is
missing or differs, the exit code is 1; after a --repair that mended all, 3. --repair looks at the same sample where
--full is not given.`},
		{"trace", `
PIPELINE is a file, or the name of an applied pipeline. Every column of the primary key is given, as
device_id=a ts=2026-01-01T00:00:00Z; the partition key alone shows the static columns.`},
		{"doctor", `
With --kubernetes it looks at an installation on Kubernetes instead, by kubectl: KEDA and what it is told to scale,
NATS, secrets, K8ssandra, pods. It changes nothing. Exit code: 0 all is well, 1 something is wrong or may not be
looked at.`},
	}
}
