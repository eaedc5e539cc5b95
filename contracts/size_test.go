package contracts

import "testing"

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "7B": 7, "10KB": 10_000, "10MB": 10_000_000, "2GB": 2_000_000_000,
		"1KiB": 1024, "8MiB": 8 << 20, "2GiB": 2 << 30, " 10 MB ": 10_000_000, "9223372036854775807": 1<<63 - 1,
	} {
		if got, ok := ParseSize(text); !ok || got != want {
			t.Errorf("%q: found %d, %t: expected %d", text, got, ok, want)
		}
	}
	for _, bad := range []string{"", "MB", "-1", "1.5MB", "10mb", "ten", "9223372036854775808", "9223372037GB"} {
		if got, ok := ParseSize(bad); ok {
			t.Errorf("%q: found %d, expected no size", bad, got)
		}
	}
}
