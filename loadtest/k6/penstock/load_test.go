package penstock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/loadtest/k6/penstock"
)

const patience = 2 * time.Minute

// TestLoad uploads files, loads them on a real Penstock, and counts what came of them.
func TestLoad(t *testing.T) {
	t.Parallel()
	c, info, err := penstock.Connect(t.Context(), settings(t, startUp(t).Env))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if info.Dispatchers == 0 || info.Version == "" || len(info.Streams) != 4 || info.Prefix != "penstock" {
		t.Errorf("found %+v", info)
	}

	file := penstock.File{Key: "a.csv", Bytes: 5000, Bad: 10}
	source, err := c.Upload(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := c.Load(t.Context(), job("first", source), patience)
	if err != nil {
		t.Fatal(err)
	}
	want := contracts.Counts{Read: file.Rows(), Written: file.Rows() - file.Rejects(), Rejected: file.Rejects()}
	if loaded.Report.Records != want || loaded.Report.State != contracts.StateDoneRejects || file.Rejects() == 0 {
		t.Errorf("report %+v, expected %+v", loaded.Report, want)
	}
	if loaded.Took < loaded.Published || loaded.Published <= 0 {
		t.Errorf("published after %s, done after %s", loaded.Published, loaded.Took)
	}
	if again, err := c.Redeliveries(t.Context()); again != 0 || err != nil {
		t.Errorf("redeliveries %d, %v, expected none", again, err)
	}

	// The end that nobody heard is in the stream: the same job is the same to Penstock, and ends no second time.
	late, err := c.Load(t.Context(), job("first", source), 2*time.Second)
	if err != nil || late.Report.Records != want {
		t.Errorf("a job that had ended before: %+v, %v", late.Report, err)
	}
}

func job(id contracts.JobID, sources ...string) contracts.Job {
	return contracts.Job{V: contracts.Version, ID: id, Pipeline: "k6", Source: sources}
}

// TestUploadAll makes each file once, as its number says.
func TestUploadAll(t *testing.T) {
	t.Parallel()
	s := settings(t, startUp(t).Env)
	c, _, err := penstock.Connect(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	file := penstock.File{Key: "many/", Bytes: 500}
	if err := c.UploadAll(t.Context(), file, 20); err != nil {
		t.Fatal(err)
	}
	loaded, err := c.Load(t.Context(), job("many", "s3://"+s.Bucket+"/many/"), patience)
	if err != nil {
		t.Fatal(err)
	}
	file.Key = penstock.Numbered(file.Key, 0)
	if want := 20 * file.Rows(); loaded.Report.Records.Written != want || loaded.Report.Objects.Loaded != 20 {
		t.Errorf("report %+v, expected %d rows of 20 objects", loaded.Report, want)
	}
}

// TestTimeout says which job did not end.
func TestTimeout(t *testing.T) {
	t.Parallel()
	c, _, err := penstock.Connect(t.Context(), settings(t, startUp(t).Env))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Load(t.Context(), job("quick", "s3://penstock-load/none.csv"), time.Nanosecond)
	if err == nil || !strings.Contains(err.Error(), "job quick has not ended after 1ns") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("enough"))
	if _, err = c.Load(ctx, job("late", "s3://penstock-load/none.csv"), patience); err == nil {
		t.Error("no error after the context had ended")
	}
}
