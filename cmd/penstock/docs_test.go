package main

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

var (
	fence  = regexp.MustCompile("(?ms)^```(?:sh|bash)\n(.*?)^```")
	inline = regexp.MustCompile("`(penstock [^`\n]+)`")
	token  = regexp.MustCompile(`'[^']*'|"(?:\\.|[^"\\])*"|&&|\|\||[|;&<>()]|#.*|[^\s|;&<>()'"#]+|\S`)
)

// TestDocumentedCommands holds each command line in the documents to the program's commands, flags and arguments.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	seen := 0
	for page, text := range testenv.Pages(t, "../..") {
		if page == "CHANGELOG.md" || strings.HasPrefix(page, "docs/decisions/") {
			continue // they speak of what was, and of what was left aside
		}
		var lines []string
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n")...)
		}
		for _, span := range inline.FindAllStringSubmatch(text, -1) {
			lines = append(lines, span[1])
		}
		for _, line := range lines {
			for _, args := range ours(line) {
				seen++
				if err := understood(args); err != nil {
					t.Errorf("%s has `%s`: %v", page, strings.TrimSpace(line), err)
				}
			}
		}
	}
	if seen < 80 {
		t.Errorf("found %d command lines, expected 80 at least", seen)
	}
}

// ours are the arguments of each penstock that a line of shell runs, by itself, by go run, or by kubectl exec.
func ours(line string) (all [][]string) {
	for _, command := range commands(line) {
		for len(command) > 0 && regexp.MustCompile(`^[A-Z_0-9]+=`).MatchString(command[0]) {
			command = command[1:]
		}
		if i := slices.Index(command, "--"); i >= 0 && len(command) > 0 && command[0] == "kubectl" {
			command = command[i+1:]
		}
		if len(command) > 2 && command[0] == "go" && command[1] == "run" {
			command = command[2:]
		}
		if len(command) > 1 && path.Base(command[0]) == "penstock" {
			all = append(all, command[1:])
		}
	}
	return all
}

// commands are the words of each simple command of a line, without what is redirected.
func commands(line string) [][]string {
	all, redirected := [][]string{nil}, false
	for _, word := range token.FindAllString(line, -1) {
		last := len(all) - 1
		switch {
		case strings.HasPrefix(word, "#"):
			return all
		case word == "<" || word == ">":
			redirected = true
		case strings.ContainsAny(word[:1], "|;&()"):
			all, redirected = append(all, nil), false
		case !redirected:
			all[last] = append(all[last], strings.Trim(word, `'"`))
		}
	}
	return all
}

// understood says what is wrong with arguments, in which names in capitals and … stand for something.
func understood(args []string) error {
	if args[0] == "COMMAND" || strings.HasPrefix(args[0], "…") {
		return nil
	}
	for i, word := range args {
		if word == "N" {
			args[i] = "1"
		}
	}
	c, rest, err := (&app{}).root().Find(args)
	if err != nil {
		return err
	}
	if slices.Contains(rest, "--help") {
		return nil
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	given := c.Flags().Args()
	if len(given) == 0 && c.HasParent() {
		return nil // a command that is spoken of
	}
	return c.Args(c, given)
}

// TestUnderstood has the check find what it is for.
func TestUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, says string }{
		{"penstock load readings.yaml 's3://landing/a b/*.csv' --force # all", ""},
		{"A=b ./penstock worker --workers 4 &", ""},
		{"kubectl -n penstock exec deployment/x -- /penstock apply - < readings.yaml", ""},
		{"kubectl -n penstock get pods; go run ./cmd/penstock demo", ""},
		{"penstock laod readings.yaml", `unknown command "laod"`},
		{"true && penstock verify JOB --fully", "unknown flag: --fully"},
		{"kubectl exec x -- /penstock status a b", "accepts 1 arg(s), received 2"},
	} {
		var found error
		all := ours(c.line)
		for _, args := range all {
			found = understood(args)
		}
		if len(all) != 1 || (c.says == "") != (found == nil) || !strings.Contains(fmt.Sprint(found), c.says) {
			t.Errorf("%s: found %d commands and %v, expected one and %q", c.line, len(all), found, c.says)
		}
	}
}

// TestTutorialSettings holds variables that the tutorials name to the program's settings.
func TestTutorialSettings(t *testing.T) {
	t.Parallel()
	known := []string{"PENSTOCK_CONFIG"}
	for _, s := range settings {
		known = append(known, s.env(), s.env()+"_FILE")
	}
	for page, text := range testenv.Pages(t, "../..") {
		if !strings.HasPrefix(page, "docs/tutorials/") && page != "README.md" && page != "manifests/README.md" {
			continue
		}
		for _, name := range regexp.MustCompile(`\bPENSTOCK_[A-Z0-9_]+`).FindAllString(text, -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is no setting", page, name)
			}
		}
	}
}

// TestTutorialPipelines has the program look at the pipelines that the tutorials apply.
func TestTutorialPipelines(t *testing.T) {
	t.Parallel()
	text := testenv.Pages(t, "../..")["docs/tutorials/kind.md"]
	applied := regexp.MustCompile(`(?s)apply - <<'YAML'\n(.*?)\nYAML\n`).FindStringSubmatch(text)
	if applied == nil {
		t.Fatal("docs/tutorials/kind.md applies no pipeline")
	}
	var out, errs bytes.Buffer
	io := stdio{In: strings.NewReader(applied[1]), Out: &out, Err: &errs}
	if code := run(t.Context(), []string{"lint", "-"}, io, nil); code != exitDone {
		t.Errorf("lint ends with %d: %s%s", code, &out, &errs)
	}
}
