package reference

import (
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// Text reads a line of text in a format that has the inputs.
func Text(line []byte, f contracts.TextFormat, inputs []string) ([]string, contracts.Rule) {
	if f.Pattern != "" {
		return matched(regexp.MustCompile(f.Pattern), string(line), inputs)
	}
	words := strings.FieldsFunc(string(line), blank)
	if len(words) < len(f.Fields) {
		return nil, contracts.RuleFields
	}
	fields := make([]string, len(inputs))
	for i, name := range inputs {
		n := slices.Index(f.Fields, name)
		text := words[n]
		if n == len(f.Fields)-1 {
			text = behind(string(line), n)
		}
		fields[i] = field(contracts.Text, text)
	}
	return fields, ""
}

func blank(r rune) bool { return r == ' ' || r == '\t' }

// behind is what comes after so many words.
func behind(line string, words int) string {
	line = strings.TrimLeft(line, " \t")
	for range words {
		line = strings.TrimLeft(strings.TrimLeftFunc(line, func(r rune) bool { return !blank(r) }), " \t")
	}
	return line
}

func matched(re *regexp.Regexp, line string, inputs []string) ([]string, contracts.Rule) {
	groups := re.FindStringSubmatchIndex(line)
	if groups == nil {
		return nil, contracts.RuleSyntax
	}
	fields := make([]string, len(inputs))
	for i, name := range inputs {
		n := 2 * re.SubexpIndex(name)
		fields[i] = field(contracts.Missing, "")
		if groups[n] >= 0 {
			fields[i] = field(contracts.Text, line[groups[n]:groups[n+1]])
		}
	}
	return fields, ""
}
