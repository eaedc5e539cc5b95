package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/penstock-io/penstock/loadtest/report"
)

// save writes a set's table, plot and runs, named by the set.
func save(dir string, r report.Results) error {
	var runs bytes.Buffer
	for _, run := range r.Runs {
		line, err := json.Marshal(run)
		if err != nil {
			return fmt.Errorf("write down a run: %w", err)
		}
		runs.Write(append(line, '\n'))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the results: %w", err)
	}
	for ending, content := range map[string][]byte{
		"md": []byte(r.Markdown()), "svg": []byte(r.SVG()), "ndjson": runs.Bytes(),
	} {
		path := filepath.Join(dir, fmt.Sprintf("file-%s.%s", r.Files.Name, ending))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}
