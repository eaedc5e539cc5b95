package tools

import (
	"context"
	"debug/buildinfo"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// goTool is a program that `go install` builds; the pin keeps every machine on the same one.
type goTool struct{ name, path, version string }

var (
	// MinIO is a process for tests and never linked: its licence is the AGPL.
	minio        = goTool{"minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"}
	golangciLint = goTool{"golangci-lint", "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", "v2.15.0"}
	benchstat    = goTool{"benchstat", "golang.org/x/perf/cmd/benchstat", "v0.0.0-20260908200009-22c9c6c9d4da"}
)

// natsServer is the nats-server that the module embeds, so that tests and users run one version.
const natsServer = "github.com/nats-io/nats-server/v2"

//go:embed pom.xml
var pom []byte

// Installer installs into the cache what is not there yet.
type Installer struct {
	Log    io.Writer       // a line for each thing that takes time
	Pauses []time.Duration // between tries of what failed, since registries have bad minutes; nil is one try
}

// Patient are pauses that outlast a registry's short trouble.
func Patient() []time.Duration {
	return []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second}
}

// Servers installs what tests start: a JDK and Maven where this process may, Cassandra's jars, MinIO and nats-server,
// and kustomize for manifests/. A second call finds all of it there.
func (in Installer) Servers(ctx context.Context) error {
	unlock, err := setupLock()
	if err != nil {
		return err
	}
	defer unlock()
	version, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", natsServer).Output()
	if err != nil {
		return fmt.Errorf("read the version of nats-server from go.mod: %w", err)
	}
	nats := goTool{"nats-server", natsServer, strings.TrimSpace(string(version))}
	return together(
		func() error { return in.cassandra(ctx) },
		func() error {
			return errors.Join(in.goInstall(ctx, nats), in.goInstall(ctx, minio), in.goInstall(ctx, kustomize))
		},
	)
}

// Lint installs golangci-lint. A second call finds it there.
func (in Installer) Lint(ctx context.Context) error {
	return alone(func() error { return in.goInstall(ctx, golangciLint) })
}

// Benchstat installs benchstat. A second call finds it there.
func (in Installer) Benchstat(ctx context.Context) error {
	return alone(func() error { return in.goInstall(ctx, benchstat) })
}

// Promtool installs promtool, which alone takes as long to build as all the servers. A second call finds it there.
func (in Installer) Promtool(ctx context.Context) error {
	return alone(func() error { return in.goBuild(ctx, promtool, promtool.path+"/cmd/promtool") })
}

// alone installs something under setupLock.
func alone(install func() error) error {
	unlock, err := setupLock()
	if err != nil {
		return err
	}
	defer unlock()
	return install()
}

// setupLock keeps two installations from writing the cache at once.
func setupLock() (unlock func(), err error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	return lock(filepath.Join(cache, "setup.lock"))
}

// together runs the functions at once, waits for all and joins their errors.
func together(fns ...func() error) error {
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() { errs[i] = fn() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// goInstall builds the tool into the cache unless that version is there.
func (in Installer) goInstall(ctx context.Context, tool goTool) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	bin := filepath.Join(cache, "bin")
	if info, err := buildinfo.ReadFile(filepath.Join(bin, tool.name)); err == nil && info.Main.Version == tool.version {
		return nil
	}
	return in.step(ctx, tool.name+" "+tool.version, func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", "install", tool.path+"@"+tool.version)
		cmd.Env = append(os.Environ(), "GOBIN="+bin)
		return cmd
	})
}

// cassandra sees to a JDK and fetches the jars, which appear in the cache all at once.
func (in Installer) cassandra(ctx context.Context) error {
	if err := in.packages(ctx); err != nil {
		return err
	}
	if _, err := CassandraJars(); err == nil {
		return nil
	}
	_, err := in.jars(ctx, "Apache Cassandra "+CassandraVersion, "cassandra-"+CassandraVersion, pom,
		"-Dcassandra.version="+CassandraVersion)
	return err
}

// step runs a command, again where it fails, and says what it does and how long it took.
func (in Installer) step(ctx context.Context, what string, command func() *exec.Cmd) error {
	fmt.Fprintf(in.Log, "setup: %s …\n", what)
	start := time.Now()
	for try := 0; ; try++ {
		out, err := command().CombinedOutput()
		if err == nil {
			fmt.Fprintf(in.Log, "setup: %s in %s\n", what, time.Since(start).Round(100*time.Millisecond))
			return nil
		}
		err = fmt.Errorf("install %s: %w\n%s", what, err, out)
		if try == len(in.Pauses) || ctx.Err() != nil {
			return err
		}
		fmt.Fprintf(in.Log, "setup: %v\nsetup: again in %s\n", err, in.Pauses[try])
		select {
		case <-time.After(in.Pauses[try]):
		case <-ctx.Done():
			return err
		}
	}
}
