package cli

import (
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"1":                   1,
		"1048576":             1 << 20,
		"1KiB":                1 << 10,
		"64MiB":               64 << 20,
		"3GiB":                3 << 30,
		"9223372036854775807": math.MaxInt64,
		"8589934591GiB":       8589934591 << 30,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "0", "0GiB", "-1", "+1", "1.5MiB", "1kb", "1MB", "1M", "1 MiB", " 1", "MiB", "1KiBKiB", "0x10", "1_000",
		"9223372036854775808", "8589934592GiB", "9007199254740992KiB",
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
