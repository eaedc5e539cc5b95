// Command sbom prints what a Go binary is made of as CycloneDX JSON: the modules that the linker noted in it, and the
// standard library. The same binary gives the same bytes.
//
//	sbom BINARY
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%q: expected one argument, the path of a Go binary", args)
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("read the modules of %s: %w", args[0], err)
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", " ")
	return e.Encode(bill(info))
}

// document is the part of CycloneDX 1.6 that is used here.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	URL        string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func bill(info *debug.BuildInfo) document {
	app := part("application", info.Main)
	for _, s := range info.Settings {
		app.Properties = append(app.Properties, property{"go:build:" + s.Key, s.Value})
	}
	std := debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}
	d := document{"CycloneDX", "1.6", 1, metadata{app}, []component{part("library", std)}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.Components = append(d.Components, part("library", *m))
	}
	return d
}

func part(kind string, m debug.Module) component {
	url := "pkg:golang/" + m.Path
	if m.Version != "" && m.Version != "(devel)" {
		url += "@" + m.Version
	}
	c := component{Type: kind, Ref: url, Name: m.Path, Version: m.Version, URL: url}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}
