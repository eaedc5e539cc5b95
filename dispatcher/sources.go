package dispatcher

import (
	"cmp"
	"context"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// source is one address that a job names: an object, or all objects under a prefix that match a pattern.
type source struct {
	text    string
	bucket  string
	key     string         // the object, or the prefix up to the first wildcard
	pattern *regexp.Regexp // nil: the object of that key, or else all with that prefix
}

// parseSource reads s3://bucket/…, file:///path or an absolute path. In keys * and ? match within a folder, ** across
// folders, […] one byte of a set, and a backslash takes a wildcard's meaning away.
func parseSource(text string) (source, error) {
	bucket, key, err := splitAddress(text)
	if err != nil {
		return source{}, err
	}
	wild := strings.IndexAny(key, `*?[\`)
	if wild < 0 {
		return source{text: text, bucket: bucket, key: key}, nil
	}
	re, err := globRegexp(key)
	if err != nil {
		return source{}, contracts.Errorf(contracts.KindConfig, "source %q: %w", text, err)
	}
	return source{text: text, bucket: bucket, key: key[:wild], pattern: re}, nil
}

// CheckSources says what is wrong with the form of sources, before a job is made of them.
func CheckSources(sources []string) error {
	for _, s := range sources {
		if _, err := parseSource(s); err != nil {
			return err
		}
	}
	return nil
}

func splitAddress(text string) (bucket, key string, err error) {
	if rest, ok := strings.CutPrefix(text, "s3://"); ok {
		bucket, key, _ = strings.Cut(rest, "/")
		if bucket == "" {
			return "", "", contracts.Errorf(contracts.KindConfig, "source %q: no bucket: expected s3://bucket/key", text)
		}
		return bucket, key, nil
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "file://"), "/"); ok {
		return contracts.LocalBucket, rest, nil
	}
	return "", "", contracts.Errorf(contracts.KindConfig,
		"source %q: expected s3://bucket/key or an absolute path", text)
}

func globRegexp(glob string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '*' && strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(glob[i:], ']')
			if end < 0 {
				return nil, contracts.Errorf(contracts.KindConfig, "unclosed [ at byte %d", i)
			}
			b.WriteString(glob[i : i+end+1])
			i += end
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return regexp.Compile(b.String() + `\z`)
}

// EscapeGlob writes a key so that it means itself in a source.
func EscapeGlob(key string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(key)
}

// exactSource names one object and, should it be gone, nothing that its key is the beginning of.
func exactSource(o contracts.Object) string {
	key := EscapeGlob(o.Key)
	if key == o.Key { // a pattern without wildcards, by an escape that changes nothing
		_, size := utf8.DecodeLastRuneInString(key)
		key = key[:len(key)-size] + `\` + key[len(key)-size:]
	}
	if o.Bucket == contracts.LocalBucket {
		return "/" + key
	}
	return "s3://" + o.Bucket + "/" + key
}

// ExactAddress is the source that names the object of an address and no other: wildcards in its key mean themselves.
func ExactAddress(address string) string {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(address, "s3://"), "/")
	if !ok || !strings.HasPrefix(address, "s3://") {
		return exactSource(contracts.Object{Bucket: contracts.LocalBucket, Key: strings.TrimPrefix(address, "/")})
	}
	return exactSource(contracts.Object{Bucket: bucket, Key: key})
}

// found is an object that a source names, or why the source names none.
type found struct {
	object contracts.Object
	err    error
}

// each yields the source's objects in order; a source that names nothing yields one error.
func (s source) each(ctx context.Context, objects Objects) iter.Seq[found] {
	return func(yield func(found) bool) {
		if s.pattern == nil && s.key != "" && !strings.HasSuffix(s.key, "/") {
			o, err := objects.Stat(ctx, s.bucket, s.key)
			if contracts.KindOf(err) != contracts.KindMissing {
				yield(found{o, err})
				return
			}
		}
		any := false
		for o, err := range objects.List(ctx, s.bucket, s.key, "") {
			folder := err != nil && strings.HasSuffix(o.Key, "/") // that cannot be read: nobody knows what is in it
			if o.Key != "" && !folder && !s.wants(o.Key) {
				continue
			}
			any = true
			if !yield(found{o, err}) { // a listing that cannot go on after an error ends by itself
				return
			}
		}
		if !any {
			yield(found{err: s.nothing()})
		}
	}
}

func (s source) wants(key string) bool {
	return !strings.HasSuffix(key, "/") && (s.pattern == nil || s.pattern.MatchString(key))
}

func (s source) nothing() error {
	return contracts.At(contracts.KindMissing, s.text, -1,
		"nothing there: expected an object, or objects under this prefix or pattern")
}

// merge yields the objects of all sources in order of bucket and key, each once. Errors come as they are met.
func merge(ctx context.Context, objects Objects, sources []source) iter.Seq[found] {
	return func(yield func(found) bool) {
		var heads []*head
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, s := range sources {
			next, stop := iter.Pull(s.each(ctx, objects))
			h := &head{next: next, stop: stop}
			heads = append(heads, h)
			h.advance()
		}
		var last contracts.Object
		for {
			h := least(heads)
			if h == nil {
				return
			}
			f := h.found
			h.advance()
			if f.err == nil && f.object.Bucket == last.Bucket && f.object.Key == last.Key {
				continue
			}
			if !yield(f) {
				return
			}
			if f.err == nil {
				last = f.object
			}
		}
	}
}

// head is one source's next object.
type head struct {
	found found
	ok    bool
	next  func() (found, bool)
	stop  func()
}

func (h *head) advance() { h.found, h.ok = h.next() }

// least is the head to take next: errors at once, else the first in order; nil when all are through. Sources are few,
// so it looks at each.
func least(heads []*head) *head {
	var best *head
	for _, h := range heads {
		if h.ok && (best == nil || compareFound(h.found, best.found) < 0) {
			best = h
		}
	}
	return best
}

func compareFound(a, b found) int {
	if a.err != nil || b.err != nil {
		return cmp.Compare(boolInt(a.err == nil), boolInt(b.err == nil))
	}
	return contracts.CompareObjects(a.object, b.object)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// matchesTrigger says whether a bucket trigger's prefix and suffix name the key.
func matchesTrigger(key, prefix, suffix string) bool {
	return strings.HasPrefix(key, prefix) && strings.HasSuffix(key, suffix) && !strings.HasSuffix(key, "/")
}

// Find yields the objects that one source names.
func Find(ctx context.Context, objects Objects, text string) iter.Seq2[contracts.Object, error] {
	return func(yield func(contracts.Object, error) bool) {
		s, err := parseSource(text)
		if err != nil {
			yield(contracts.Object{}, err)
			return
		}
		for f := range s.each(ctx, objects) {
			if !yield(f.object, f.err) {
				return
			}
		}
	}
}
