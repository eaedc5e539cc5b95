package s3

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// An object that is replaced while it is looked up is looked up again; one that stays is not.
func TestSteady(t *testing.T) {
	t.Parallel()
	refused := errors.New("precondition failed")
	for name, c := range map[string]struct {
		change func(path string, call int) error
		calls  int
		fails  bool
	}{
		"stays":           {func(string, int) error { return nil }, 1, false},
		"replaced":        {func(path string, call int) error { return replaceUntil(path, call, 3) }, 3, false},
		"replaced always": {func(path string, _ int) error { return replaceUntil(path, 0, 1) }, steadyAttempts, true},
		"deleted": {func(path string, call int) error {
			if call == 1 {
				return os.Remove(path)
			}
			return refused
		}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, key := t.TempDir(), "key"
			path := filepath.Join(dir, key)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			calls, undone := 0, 0
			r := &rooted{root: dir}
			err := r.steady(dir, &key, func() error { calls++; return c.change(path, calls) }, func() { undone++ })
			if (err != nil) != c.fails || calls != c.calls {
				t.Errorf("%d calls, %v; want %d", calls, err, c.calls)
			}
			if kept := calls - undone; kept != 1 && name != "replaced always" {
				t.Errorf("%d answers were kept", kept)
			}
		})
	}
}

// replaceUntil puts another file in the place of path before the last call.
func replaceUntil(path string, call, last int) error {
	if call >= last {
		return nil
	}
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
