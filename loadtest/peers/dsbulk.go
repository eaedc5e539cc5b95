package peers

import (
	"context"
	_ "embed"
	"os/exec"
	"path/filepath"

	"github.com/penstock-io/penstock/internal/testenv/tools"
	"github.com/penstock-io/penstock/loadtest/dataset"
)

//go:embed dsbulk.pom.xml
var dsbulkPOM []byte

// dsbulk is the DataStax Bulk Loader 1.10.0 with further flags, by the files. It reads a folder.
func dsbulk(name string, flags func(dataset.Set) []string) Tool {
	var java, jars string
	return Tool{
		Name: name,
		Install: func(ctx context.Context, in tools.Installer) (err error) {
			if java, err = tools.Java(ctx); err != nil {
				return err
			}
			jars, err = in.Jars(ctx, "dsbulk-1.10.0", dsbulkPOM)
			return err
		},
		Loads: func(s dataset.Set) bool { return !s.Alone },
		Command: func(j Job) (*exec.Cmd, error) {
			args := []string{"-cp", filepath.Join(jars, "*"), "com.datastax.oss.dsbulk.runner.DataStaxBulkLoader", "load",
				"-url", j.Files.Dir, "-k", j.Keyspace, "-t", j.Table, "-h", j.Host, "-port", j.Port,
				"--codec.timestamp", "ISO_ZONED_DATE_TIME", "--log.directory", j.Scratch}
			if j.Files.Format == dataset.NDJSON {
				args = append(args, "-c", "json", "--connector.json.fileNamePattern", "**/*.ndjson")
			} else {
				args = append(args, "-header", "true", "-escape", `"\""`)
			}
			return exec.Command(java, append(args, flags(j.Files.Set)...)...), nil
		},
	}
}

// dsbulkDefaults are no flags: batches of rows of one partition that follow one another in the file.
func dsbulkDefaults(dataset.Set) []string { return nil }

// dsbulkByReplica are large batches over partitions of one replica set, which serve all files best. Of rows of 1 KB
// they take fewer: Cassandra refuses batches of 50 KiB.
func dsbulkByReplica(s dataset.Set) []string {
	statements := "100"
	if s.NoteBytes > 0 {
		statements = "32"
	}
	return []string{"--batch.mode", "REPLICA_SET", "--batch.maxBatchStatements", statements}
}
