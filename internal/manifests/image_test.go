package manifests

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// imageArchive is what `make image` made; without it TestImageArchive has nothing to look at.
var imageArchive = flag.String("image", "", "an OCI archive to look at")

// TestImageArchive holds the image to what manifests/ expect of it.
func TestImageArchive(t *testing.T) {
	t.Parallel()
	if *imageArchive == "" {
		return
	}
	blobs := unpack(t, *imageArchive)
	index := blobs.json(t, "index.json")
	list := blobs.json(t, blob(index, "manifests.0.digest"))
	archs := map[string]bool{}
	for _, m := range list.List("manifests") {
		archs[m.Text("platform.architecture")] = true
		manifest := blobs.json(t, blob(m, "digest"))
		config := blobs.json(t, blob(manifest, "config.digest"))
		for path, want := range map[string]string{
			"architecture": m.Text("platform.architecture"), "os": "linux", "config.User": "65532:65532",
			"config.Entrypoint.0": "/penstock",
		} {
			if found := config.Text(path); found != want {
				t.Errorf("%s is %q, expected %q", path, found, want)
			}
		}
		files := map[string]bool{}
		for _, layer := range manifest.List("layers") {
			blobs.list(t, blob(layer, "digest"), files)
		}
		for _, file := range []string{"penstock", "sbom.cdx.json", "etc/ssl/certs/ca-certificates.crt"} {
			if !files[file] {
				t.Errorf("%s is not in the image, only %v", file, files)
			}
			delete(files, file)
		}
		if len(files) > 0 {
			t.Errorf("the image holds %v, too: expected from scratch", files)
		}
	}
	if !archs["amd64"] || !archs["arm64"] {
		t.Errorf("found %v, expected amd64 and arm64", archs)
	}
}

func blob(o Object, path string) string {
	return "blobs/" + strings.Replace(o.Text(path), ":", "/", 1)
}

// archive holds the files of an OCI archive.
type archive map[string][]byte

func unpack(t *testing.T, path string) archive {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	files := archive{}
	each(t, f, func(h *tar.Header, content io.Reader) {
		data, err := io.ReadAll(content)
		must(t, err)
		files[strings.TrimPrefix(h.Name, "./")] = data
	})
	return files
}

func each(t *testing.T, r io.Reader, file func(*tar.Header, io.Reader)) {
	t.Helper()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		if h.Typeflag == tar.TypeReg {
			file(h, in)
		}
	}
}

func (a archive) json(t *testing.T, name string) Object {
	t.Helper()
	var o Object
	if err := json.Unmarshal(a[name], &o); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return o
}

// list adds the files of a layer, and holds them to be for everybody to read and nobody to write.
func (a archive) list(t *testing.T, name string, files map[string]bool) {
	t.Helper()
	layer, err := gzip.NewReader(strings.NewReader(string(a[name])))
	must(t, err)
	each(t, layer, func(h *tar.Header, _ io.Reader) {
		files[strings.TrimPrefix(h.Name, "/")] = true
		if h.Mode&0o444 != 0o444 || h.Mode&0o222 != 0 {
			t.Errorf("%s has the mode %o, expected to be read by all and written by nobody", h.Name, h.Mode)
		}
	})
}

// TestImageRecipes holds the three ways to an image to the same binary, user and labels.
func TestImageRecipes(t *testing.T) {
	t.Parallel()
	script, docker := read(t, root+"/image.sh"), read(t, "../../Dockerfile")
	ko, err := decode([]byte(read(t, "../../.ko.yaml")))
	must(t, err)
	for _, want := range []string{
		"-trimpath -buildvcs=false -tags timetzdata", "./cmd/penstock", "65532:65532", "/penstock", "sbom.cdx.json",
		"/etc/ssl/certs/ca-certificates.crt", "CGO_ENABLED=0", "-X main.versionText=",
	} {
		if !strings.Contains(script, want) || !strings.Contains(docker, want) {
			t.Errorf("expected %q in manifests/image.sh and in the Dockerfile", want)
		}
	}
	label := regexp.MustCompile(`org\.opencontainers\.image\.\w+`)
	ours, theirs := label.FindAllString(script, -1), label.FindAllString(docker, -1)
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) {
		t.Errorf("manifests/image.sh labels the image %v, the Dockerfile %v", ours, theirs)
	}
	build := ko[0].List("builds")[0]
	var flags []string
	for _, f := range build.At("flags").([]any) {
		flags = append(flags, f.(string))
	}
	if found := strings.Join(flags, " "); found != "-trimpath -buildvcs=false -tags timetzdata" {
		t.Errorf(".ko.yaml builds with %s", found)
	}
}
