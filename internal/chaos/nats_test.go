package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

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
		err = empty(store)
	case "nats-restore":
		if err = empty(store); err == nil {
			err = os.CopyFS(store, os.DirFS(backup))
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

// empty removes what is in a folder.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// copyTree copies a store that is in use, as a backup tool does: files may vanish under it.
func copyTree(from, to string) error {
	out, err := exec.Command("cp", "-r", from, to).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "No such file") {
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

// diskBytes is the size of the disk that a round's NATS has where one can be made.
const diskBytes = 32 << 20

// mountDisk gives NATS a small disk of its own where CHAOS_DISK says that mounts are this process's own and end with
// it; elsewhere nats-full limits the streams instead.
func (r *round) mountDisk() {
	if os.Getenv("CHAOS_DISK") == "" {
		return
	}
	store := filepath.Join(r.dir, "nats", "jetstream")
	must(r.t, os.MkdirAll(store, 0o755))
	r.disk = syscall.Mount("none", store, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)) == nil
	if r.disk {
		r.t.Cleanup(func() { syscall.Unmount(store, syscall.MNT_DETACH) }) //nolint:errcheck // the folder stays, then
	}
}

// fillNATS fills the disk under the store for a while. nats-server 2.15 goes on refusing when there is room again,
// until it is started anew.
func (r *round) fillNATS(ctx context.Context, f fault) error {
	if !r.disk {
		return r.limitNATS(ctx, f)
	}
	filler := filepath.Join(r.dir, "nats", "jetstream", "filler")
	os.WriteFile(filler, make([]byte, 2*diskBytes), 0o600) //nolint:errcheck // it shall fail
	pause(ctx, f.hold)
	if err := os.Remove(filler); err != nil {
		return err
	}
	return r.nats.Restart(ctx)
}

// limitNATS has the streams of jobs and chunks refuse what is published for a while.
func (r *round) limitNATS(ctx context.Context, f fault) error {
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

// tape holds the chunk messages and events of a round, to be published once more. It reads the streams as an operator
// would: a plain subscription would make NATS take its subjects for answered while the streams are gone.
type tape struct {
	mu       sync.Mutex
	messages []*nats.Msg
	next     map[string]uint64 // sequence, by stream
}

// Bounds of what is kept, and of what one look at a stream reads.
const maxTape, maxRead = 20_000, 64

// record reads what is new in the streams. What is settled between two looks is missed.
func (r *round) record(ctx context.Context) {
	js, err := jetstream.New(r.conn)
	must(r.t, err)
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range []string{"CHUNKS", "STATUS"} {
		if stream, err := js.Stream(ctx, strings.ToUpper(r.prefix)+"_"+name); err == nil {
			r.tape.read(ctx, stream)
		}
	}
}

func (t *tape) read(ctx context.Context, stream jetstream.Stream) {
	name, state := stream.CachedInfo().Config.Name, stream.CachedInfo().State
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next[name] > state.LastSeq+1 { // made anew
		t.next[name] = 0
	}
	from := max(t.next[name], state.FirstSeq)
	for seq := from; seq <= min(state.LastSeq, from+maxRead) && len(t.messages) < maxTape; seq++ {
		t.next[name] = seq + 1
		if m, err := stream.GetMsg(ctx, seq); err == nil {
			t.messages = append(t.messages, &nats.Msg{Subject: m.Subject, Data: m.Data})
		}
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
