package penstock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

const (
	leastMajor, leastMinor = 2, 10           // of nats-server
	dispatcherTime         = 5 * time.Second // in which one that lives asks for work
	askAgain               = 200 * time.Millisecond
)

// Info says what servers were found.
type Info struct {
	Server      string   `json:"server"` // NATS: its name
	Version     string   `json:"version"`
	NATS        string   `json:"nats"`
	S3          string   `json:"s3"`
	Prefix      string   `json:"prefix"`
	Streams     []string `json:"streams"`
	Dispatchers int      `json:"dispatchers"` // pulls of dispatchers that wait for jobs
	Workers     int      `json:"workers"`     // pulls of workers that wait for chunks; 0 where an autoscaler starts them
}

// Check looks at the servers, and says what is wrong with them and what to do about it. A dispatcher that takes a job
// in at this moment does not wait for one: it is given some time.
func (c *Client) Check(ctx context.Context) (Info, error) {
	info := Info{
		Server: c.nc.ConnectedServerName(), Version: c.nc.ConnectedServerVersion(), NATS: withoutUser(c.nc.ConnectedUrl()),
		S3: withoutUser(c.settings.S3), Prefix: c.settings.Prefix,
	}
	if err := checkVersion(info.Version); err != nil {
		return info, fmt.Errorf("NATS at %s: %w", info.NATS, err)
	}
	over, cancel := context.WithTimeout(ctx, dispatcherTime)
	defer cancel()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		f, err := c.facts(ctx)
		if err == nil {
			err = c.judge(f, &info)
		}
		if err != nil {
			return info, err
		}
		if info.Dispatchers > 0 {
			return info, c.checkBucket(ctx)
		}
		select {
		case <-tick.C:
		case <-over.Done():
			return info, fmt.Errorf("no dispatcher asks for jobs on stream %s: jobs would wait for ever: start `penstock "+
				"dispatcher` or `penstock up`", c.subjects.Stream(contracts.StreamJobs))
		}
	}
}

func checkVersion(version string) error {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) == 3 {
		major, err1 := strconv.Atoi(parts[0])
		minor, err2 := strconv.Atoi(parts[1])
		if err1 == nil && err2 == nil && (major > leastMajor || major == leastMajor && minor >= leastMinor) {
			return nil
		}
	}
	return fmt.Errorf("found nats-server %q, expected %d.%d or newer", version, leastMajor, leastMinor)
}

// judge holds what was found against what a Penstock has.
func (c *Client) judge(f facts, info *Info) error {
	info.Streams = info.Streams[:0]
	for _, name := range ownStreams {
		full := c.subjects.Stream(name)
		s, ok := f[full]
		if !ok {
			return c.noStream(full, f)
		}
		if err := c.judgeStream(full, c.settings.Prefix+"."+strings.ToLower(name)+".", s); err != nil {
			return err
		}
		info.Streams = append(info.Streams, full)
	}
	info.Dispatchers = f[c.subjects.Stream(contracts.StreamJobs)].consumers[dispatchers].waiting
	info.Workers = f[c.subjects.Stream(contracts.StreamChunks)].consumers[contracts.Consumer].waiting
	return nil
}

// judgeStream wants a stream to be Penstock's, and nobody else's work in it.
func (c *Client) judgeStream(name, begin string, s stream) error {
	if !slices.ContainsFunc(s.subjects, func(subject string) bool { return strings.HasPrefix(subject, begin) }) {
		return fmt.Errorf("stream %s: found subjects %q, expected %s…: it is not Penstock's", name, s.subjects, begin)
	}
	if s.work && s.messages > 0 && !c.settings.Busy {
		return fmt.Errorf("stream %s holds %d messages of other jobs, which would be measured along: wait until they "+
			"are done, or set LOAD_BUSY=yes", name, s.messages)
	}
	return nil
}

// noStream says which installations of Penstock the server has.
func (c *Client) noStream(want string, f facts) error {
	var found []string
	for name := range f {
		if name == contracts.StreamJobs {
			found = append(found, contracts.DefaultSubjects.Prefix)
		} else if prefix, ok := strings.CutSuffix(name, "_"+contracts.StreamJobs); ok {
			found = append(found, strings.ToLower(prefix))
		}
	}
	hint := "there is no Penstock: start a dispatcher, which makes the streams"
	if len(found) > 0 {
		slices.Sort(found)
		hint = "set PENSTOCK_NATS_PREFIX to one that this server has: " + strings.Join(found, ", ")
	}
	return fmt.Errorf("NATS at %s has no stream %s for the prefix %q: %s", withoutUser(c.nc.ConnectedUrl()), want,
		c.settings.Prefix, hint)
}

// checkBucket makes the bucket of the files where it is missing.
func (c *Client) checkBucket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	there, err := c.s3.BucketExists(ctx, c.settings.Bucket)
	if err == nil && !there {
		err = c.s3.MakeBucket(ctx, c.settings.Bucket, minio.MakeBucketOptions{Region: c.settings.Region})
	}
	if err != nil {
		return fmt.Errorf("bucket %s of S3 at %s: %w: is it up, and are PENSTOCK_S3_ACCESS_KEY and PENSTOCK_S3_SECRET_KEY "+
			"right?", c.settings.Bucket, withoutUser(c.settings.S3), err)
	}
	return nil
}

// deliveries are how often workers were handed a chunk message, and how many messages that were.
type deliveries struct{ all, messages uint64 }

func (c *Client) deliveries(ctx context.Context) (deliveries, error) {
	f, err := c.facts(ctx)
	return f[c.subjects.Stream(contracts.StreamChunks)].consumers[contracts.Consumer].delivered, err
}

// Redeliveries counts chunk messages that were delivered again since the client connected, by whomever they were
// published. A stream that was made anew meanwhile counts from its beginning.
func (c *Client) Redeliveries(ctx context.Context) (int64, error) {
	now, err := c.deliveries(ctx)
	if err != nil {
		return 0, err
	}
	before := c.before
	if now.messages < before.messages {
		before = deliveries{}
	}
	return int64(now.all-before.all) - int64(now.messages-before.messages), nil
}
