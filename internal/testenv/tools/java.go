package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// Cassandra 5.0 runs on 17; 21 is the last release that still knows the security manager switches that it needs.
const oldestJava, newestJava = 17, 21

var javaVersionRE = regexp.MustCompile(`version "(\d+)`)

// Java returns the path of a java that runs Cassandra: in JAVA_HOME, in the path, or where Linux distributions put
// them. The error is ErrMissing where there is none.
func Java(ctx context.Context) (string, error) {
	for _, path := range javaCandidates() {
		if v := javaVersion(ctx, path); v >= oldestJava && v <= newestJava {
			return path, nil
		}
	}
	return "", fmt.Errorf("no JDK from %d to %d in JAVA_HOME, PATH or /usr/lib/jvm: %w",
		oldestJava, newestJava, ErrMissing)
}

func javaCandidates() []string {
	var paths []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		paths = append(paths, filepath.Join(home, "bin", "java"))
	}
	if path, err := exec.LookPath("java"); err == nil {
		paths = append(paths, path)
	}
	installed, _ := filepath.Glob("/usr/lib/jvm/*/bin/java") // the pattern is well-formed: no error
	return append(paths, installed...)
}

// javaVersion is the feature release of the java at path, 0 where it cannot be asked.
func javaVersion(ctx context.Context, path string) int {
	out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return 0
	}
	m := javaVersionRE.FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(string(m[1])) // digits only; too many of them are no version
	return v
}
