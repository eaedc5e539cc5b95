package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBill(t *testing.T) {
	t.Parallel()
	d := bill(&debug.BuildInfo{
		GoVersion: "go1.26.1",
		Main:      debug.Module{Path: "a.example/app", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "a.example/b", Version: "v1.2.3", Sum: "h1:x="},
			{Path: "a.example/c", Version: "v1.0.0", Replace: &debug.Module{Path: "a.example/d", Version: "v2.0.0"}},
		},
		Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "arm64"}},
	})
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"application",` +
		`"bom-ref":"pkg:golang/a.example/app","name":"a.example/app","version":"(devel)","purl":"pkg:golang/a.example/app",` +
		`"properties":[{"name":"go:build:GOARCH","value":"arm64"}]}},"components":[` +
		`{"type":"library","bom-ref":"pkg:golang/std@1.26.1","name":"std","version":"1.26.1",` +
		`"purl":"pkg:golang/std@1.26.1"},` +
		`{"type":"library","bom-ref":"pkg:golang/a.example/b@v1.2.3","name":"a.example/b","version":"v1.2.3",` +
		`"purl":"pkg:golang/a.example/b@v1.2.3","properties":[{"name":"go:sum","value":"h1:x="}]},` +
		`{"type":"library","bom-ref":"pkg:golang/a.example/d@v2.0.0","name":"a.example/d","version":"v2.0.0",` +
		`"purl":"pkg:golang/a.example/d@v2.0.0"}]}`
	if string(text) != want {
		t.Errorf("found\n%s\nexpected\n%s", text, want)
	}
}

func TestBinary(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{self}, &out); err != nil || !strings.Contains(out.String(), `"pkg:golang/std@`) {
		t.Errorf("%v, found %.200s, expected the parts of this test", err, out.String())
	}
	if err := run([]string{"main.go"}, &out); err == nil || !strings.Contains(err.Error(), "read the modules of main.go") {
		t.Errorf("found %v, expected that main.go is no binary", err)
	}
	if err := run(nil, &out); err == nil || !strings.Contains(err.Error(), "expected one argument") {
		t.Errorf("found %v, expected that an argument is missing", err)
	}
}
