package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/penstock-io/penstock/contracts"
)

// TestInterfaceIsPublished holds docs/interface.md against the program: what there is stands on the page.
func TestInterfaceIsPublished(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/interface.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	want := func(what, word string) {
		t.Helper()
		if !strings.Contains(text, word) {
			t.Errorf("docs/interface.md does not name the %s %s", what, word)
		}
	}
	for _, s := range settings {
		if env := s.env(); !strings.Contains(text, "`"+env+"`") {
			want("setting", "`"+strings.TrimPrefix(env, "PENSTOCK")+"`")
		}
		if s.flag != "" {
			want("flag", "`--"+s.flag+"`")
		}
	}
	root := (&app{}).root()
	for _, c := range root.Commands() {
		want("command", "`"+c.Name())
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { want("flag", "--"+f.Name) })
	}
	for _, k := range []contracts.EventKind{
		contracts.EventAccepted, contracts.EventPlanned, contracts.EventChunkDone, contracts.EventChunkDead,
		contracts.EventChunkFailed, contracts.EventChunkScanned, contracts.EventControl, contracts.EventPaused,
		contracts.EventResumed, contracts.EventDone, contracts.EventDoneRejects, contracts.EventFailed,
		contracts.EventCancelled,
	} {
		want("kind of event", "`"+string(k)+"`")
	}
	for _, r := range []contracts.Rule{
		contracts.RuleFields, contracts.RuleSyntax, contracts.RuleEncoding, contracts.RuleLength, contracts.RuleType,
		contracts.RuleRange, contracts.RuleKey, contracts.RuleExpr, contracts.RuleDatabase,
	} {
		want("rule", "| `"+string(r)+"` |")
	}
}

// TestPublishedSettingsExist is the other way round: what the page's table names can be set.
func TestPublishedSettingsExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/interface.md")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"PENSTOCK_CONFIG"}
	for _, s := range settings {
		known = append(known, s.env(), s.env()+"_FILE")
	}
	for _, word := range strings.FieldsFunc(string(page), func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		if strings.HasPrefix(word, "PENSTOCK_") && word != "PENSTOCK_" && !slices.Contains(known, word) {
			t.Errorf("docs/interface.md names %s, which is no setting", word)
		}
	}
}

// TestEveryCommandSaysWhatItDoes keeps the help complete.
func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no description", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
}

// TestHelpIsOfCommands holds the longer help against the commands: each is some command's, and --help prints it.
func TestHelpIsOfCommands(t *testing.T) {
	t.Parallel()
	root := (&app{}).root()
	for _, h := range longHelp() {
		c, rest, err := root.Find(strings.Fields(h.command))
		if err != nil || len(rest) > 0 || !strings.HasSuffix(c.Long, strings.TrimSpace(h.text)) {
			t.Errorf("the help of %q is no command's: found %q, %v", h.command, rest, err)
		}
	}
}
