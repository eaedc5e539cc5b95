package peers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/loadtest/dataset"
)

func TestCommands(t *testing.T) {
	t.Setenv("PENSTOCK_WORKERS", "7") // of the user, and none of the comparison's
	sets := dataset.Sets(1000)
	csv, unique, wide, ndjson, large := sets[0], sets[2], sets[3], sets[4], sets[6]
	tests := []struct {
		tool  string
		set   dataset.Set
		loads bool
		want  []string // arguments, in this order
	}{
		{"penstock", csv, true, []string{"load", "--force", "--workers", "3", "s3://landing/set/"}},
		{"penstock", large, true, []string{"s3://landing/set/"}},
		{"bare", csv, true, []string{"-host", "127.0.0.1:9042", "-table", "ks.readings", "-partitions", "1"}},
		{"bare", unique, true, []string{"-partitions", "30"}},
		{"bare", ndjson, false, nil},
		{"dsbulk", csv, true, []string{"-url", "set", "-k", "ks", "-t", "readings", "-header", "true", "-escape", `"\""`}},
		{"dsbulk-replica", ndjson, true, []string{"-c", "json", "--batch.mode", "REPLICA_SET"}},
		{"dsbulk-replica", csv, true, []string{"--batch.maxBatchStatements", "100"}},
		{"dsbulk-replica", wide, true, []string{"--batch.maxBatchStatements", "32"}},
		{"dsbulk", large, false, nil},
		{"cqlsh", csv, true, []string{"-e", "127.0.0.1", "9042"}},
		{"cqlsh", ndjson, false, nil},
	}
	for _, tt := range tests {
		found, err := Find([]string{tt.tool})
		if err != nil || len(found) != 1 || found[0].Loads(tt.set) != tt.loads {
			t.Errorf("%s loads file %s: expected %v (%v)", tt.tool, tt.set.Name, tt.loads, err)
			continue
		}
		scratch := t.TempDir()
		cmd, err := found[0].Command(Job{
			Files: dataset.Files{Set: tt.set, Dir: "set"}, Host: "127.0.0.1", Port: "9042", Keyspace: "ks", Table: "readings",
			Scratch: scratch, Source: "s3://landing/set/", Penstock: []string{"PENSTOCK_S3_URL=http://s3"},
			MoreFlags: []string{"--workers", "3"},
		})
		if err != nil {
			t.Fatal(err)
		}
		rest := cmd.Args
		for _, want := range tt.want {
			at := slices.Index(rest, want)
			if at < 0 {
				t.Errorf("%s, file %s: %q lacks %q in its place", tt.tool, tt.set.Name, cmd.Args, want)
				break
			}
			rest = rest[at+1:]
		}
		if tt.tool == "penstock" {
			spec, err := os.ReadFile(filepath.Join(scratch, "readings.yaml"))
			if err != nil || !strings.Contains(string(spec), "format: csv") {
				t.Errorf("the pipeline: %v\n%s", err, spec)
			}
			if env := strings.Join(cmd.Env, "\n"); strings.Contains(env, "PENSTOCK_WORKERS") ||
				!strings.Contains(env, "PENSTOCK_S3_URL=http://s3") {
				t.Error("expected the comparison's settings, and none of the user's")
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	found, err := Find([]string{"cqlsh", "penstock"})
	if err != nil || len(found) != 2 || found[0].Name != "penstock" || found[1].Name != "cqlsh" {
		t.Errorf("%v (%v), expected penstock and cqlsh, in the order of All", found, err)
	}
	if _, err := Find([]string{"sqlldr"}); err == nil || !strings.Contains(err.Error(), "dsbulk-replica") {
		t.Errorf("%v: expected the names of all tools", err)
	}
}
