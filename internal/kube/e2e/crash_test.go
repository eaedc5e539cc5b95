//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/kube"
)

// enclosed has this program enclose something instead of testing: "hold" or "pass".
const enclosed = "PENSTOCK_E2E_ENCLOSED"

func TestMain(m *testing.M) {
	if os.Getenv(enclosed) == "" {
		os.Exit(m.Run())
	}
	code, err := kube.Enclose(inside)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// inside leaves behind all that a cluster might: an orphan, a mount, a bridge's port, a control group. Told to hold, it
// says where its folder is and stays.
func inside(dir string) int {
	script := `
set -e
ip link add left type veth peer name right
ip link set left master ` + kube.Bridge + `
mount -t tmpfs tmpfs /mnt
for g in ` + strings.Join(groups(dir), " ") + `; do mkdir -p $g/kubepods/pod; done
setsid sleep 100000 &
echo ` + dir + `
`
	cmd := exec.Command("bash", "-c", script)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return 9
	}
	if os.Getenv(enclosed) == "hold" {
		_, _ = io.Copy(io.Discard, os.Stdin) // nobody ever writes: until it is killed
	}
	return 3
}

// TestNothingIsLeft ends an enclosure in the orderly way, and another one by SIGKILL: the next one cleans up after it,
// and not before, from wherever it looks.
func TestNothingIsLeft(t *testing.T) {
	before := outside(t)
	dir := enclose(t, "pass", nil)
	expectGone(t, dir, before)
	dir = enclose(t, "hold", func(dir string, cmd *exec.Cmd) {
		enclose(t, "pass", nil, "TMPDIR="+t.TempDir())
		expectWhole(t, dir)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("%v: expected a folder to be left, since nobody could remove it", err)
	}
	enclose(t, "pass", nil)
	expectGone(t, dir, before)
}

// enclose runs this program in a mode and returns, once every process of it is gone, which folder it had. then is
// called as soon as that is known.
func enclose(t *testing.T, mode string, then func(dir string, cmd *exec.Cmd), env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), enclosed+"="+mode), env...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	dir, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: it said nothing: %s", err, &errOut)
	}
	dir = strings.TrimSpace(dir)
	if then != nil {
		then(dir, cmd)
	}
	_, _ = io.Copy(io.Discard, lines) // ends when the last process does that holds the other end
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); then == nil && code != 3 {
		t.Errorf("exit %d (%v), expected that of what is inside: %s", code, err, &errOut)
	}
	return dir
}

// outside is what must be as it was: mounts and links of this machine.
func outside(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	links, err := exec.Command("ip", "-brief", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(mounts) + string(links)
}

// groups are the control groups of a folder: one, or one for each controller.
func groups(dir string) []string {
	name := filepath.Base(dir)
	one, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", name))       // the pattern is well-formed
	many, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", "*", name)) // and so is this
	return append(one, many...)
}

// expectWhole sees to it that nobody took anything away.
func expectWhole(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	all := groups(dir)
	if len(all) == 0 {
		t.Error("its control groups are gone")
	}
	for _, g := range all {
		if _, err := os.Stat(filepath.Join(g, "kubepods", "pod")); err != nil {
			t.Error(err)
		}
	}
}

func expectGone(t *testing.T, dir, before string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil || len(groups(dir)) > 0 {
		t.Errorf("of %s there is left: folder (%v), control groups %q", dir, err, groups(dir))
	}
	if now := outside(t); now != before {
		t.Errorf("mounts and links are\n%s\nand were\n%s", now, before)
	}
}
