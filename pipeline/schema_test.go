package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	golden(t, "schema.json", string(Schema()))
}

// TestSchemaAgreesWithParse validates the lint corpus: what the schema refuses has findings, and the other way round
// but for what a schema cannot say.
func TestSchemaAgreesWithParse(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	refused := strings.Fields("keys budget budgetkind csv columns list empty schedule pattern types")
	accepted := strings.Fields("good exprs text")
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		err = validate(schema, src)
		switch {
		case slices.Contains(refused, name) && err == nil:
			t.Errorf("%s: the schema takes it", file)
		case slices.Contains(accepted, name) && err != nil:
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, src := range []string{small, verbose, terse, spec("ndjson", "", "{name: v, type: int, from: 3}")} {
		if err := validate(schema, []byte(src)); err != nil {
			t.Errorf("%v\n%s", err, src)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pipeline.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pipeline.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, src []byte) error {
	j, err := yaml.YAMLToJSON(src)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
