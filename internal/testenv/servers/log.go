package servers

import (
	"io"
	"os"
	"strings"
)

// tailBytes of a log are enough to hold a stack trace and the line before it.
const tailBytes = 4 << 10

// tail returns the end of a log, from the start of a line, or why it cannot be read.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-tailBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return err.Error()
	}
	text := string(b)
	if _, rest, ok := strings.Cut(text, "\n"); ok && from > 0 {
		text = rest
	}
	return strings.TrimSpace(text)
}
