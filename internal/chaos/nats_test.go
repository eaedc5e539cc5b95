package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// harmNATS kills the server, does something to its store while it is down, and starts it again.
func (r *round) harmNATS(ctx context.Context, f fault) error {
	r.natsMu.Lock()
	defer r.natsMu.Unlock()
	store := filepath.Join(r.dir, "nats", "jetstream")
	backup := filepath.Join(r.dir, fmt.Sprintf("backup-%d", f.seed))
	switch f.kind {
	case "nats-full":
		return r.fillNATS(ctx, f)
	case "nats-restore": // to what it was a while ago
		if err := copyTree(store, backup); err != nil {
			return err
		}
		pause(ctx, f.hold)
	}
	r.nats.Kill()
	var err error
	switch f.kind {
	case "nats-wipe":
		err = os.RemoveAll(store)
	case "nats-restore":
		if err = os.RemoveAll(store); err == nil {
			err = os.Rename(backup, store)
		}
	case "nats-truncate":
		err = truncateBlocks(store, rand.New(rand.NewPCG(f.seed, 1)))
	}
	if err != nil {
		return err
	}
	if f.kind != "nats-restore" {
		pause(ctx, f.hold)
	}
	return r.nats.Restart(ctx)
}

// copyTree copies a store that is in use, as a backup tool does: files may vanish under it.
func copyTree(from, to string) error {
	if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil && !strings.Contains(string(out), "No such file") {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}

// truncateBlocks cuts bytes off the files that hold messages.
func truncateBlocks(store string, rng *rand.Rand) error {
	return filepath.WalkDir(store, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		return os.Truncate(path, rng.Int64N(info.Size()))
	})
}

// fillNATS has the streams of jobs, chunks and events refuse what is published for a while.
func (r *round) fillNATS(ctx context.Context, f fault) error {
	js, err := jetstream.New(r.conn)
	if err != nil {
		return err
	}
	full := func(name string, bytes int64) {
		stream, err := js.Stream(ctx, strings.ToUpper(r.prefix)+"_"+name)
		if err != nil {
			return // another fault has it
		}
		cfg := stream.CachedInfo().Config
		cfg.MaxBytes = bytes
		js.UpdateStream(ctx, cfg) //nolint:errcheck // as above
	}
	full("CHUNKS", 1)
	full("JOBS", 1)
	pause(ctx, f.hold)
	full("CHUNKS", -1)
	full("JOBS", -1)
	return nil
}

// tape holds the chunk messages and events of a round, to be published once more.
type tape struct {
	mu       sync.Mutex
	messages []*nats.Msg
}

// maxTape bounds what is kept.
const maxTape = 20_000

func (t *tape) record(tb testing.TB, conn *nats.Conn, prefix string) {
	for _, subject := range []string{".chunks.>", ".status.>"} {
		_, err := conn.Subscribe(prefix+subject, func(m *nats.Msg) {
			t.mu.Lock()
			defer t.mu.Unlock()
			if len(t.messages) < maxTape {
				t.messages = append(t.messages, &nats.Msg{Subject: m.Subject, Data: m.Data})
			}
		})
		must(tb, err)
	}
}

// repeat publishes up to a hundred messages again, in any order.
func (t *tape) repeat(conn *nats.Conn, seed uint64) {
	t.mu.Lock()
	messages := append([]*nats.Msg{}, t.messages...)
	t.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 2))
	rng.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	for _, m := range messages[:min(len(messages), 100)] {
		conn.PublishMsg(m) //nolint:errcheck // a message less
	}
}
