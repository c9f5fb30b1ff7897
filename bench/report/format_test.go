package report

import (
	"math"
	"strings"
	"testing"
)

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 0.92: "0.920", 20.44: "20.4", 9.996: "10.0", 99.96: "100", 999.6: "1000", 1234.4: "1234",
		9999: "10.0k", 9994: "9994", 12345: "12.3k", 999900: "1000k", 9.99e6: "9990k", 12.3e6: "12.3M", 45e9: "45.0G", 1e14: "1.0e+14",
		0.00858: "0.00858", 0.00012: "0.00012", 0.0000034: "3.4e-06", -20.44: "-20.4",
		math.MaxFloat64: "1.8e+308",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v: %s, not %s", v, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		want string
	}{
		{100, 112.34, "+12.3%"}, {100, 96.9, "-3.1%"}, {5, 5, "+0.0%"}, {1, 12, "+1100%"}, {1, 1e9, "+1.0e+11%"},
		{-2, -1, "+50.0%"}, {1e-300, 1e300, "+Inf%"},
	} {
		if got := percent(c.a, c.b); got != c.want {
			t.Errorf("%v to %v: %s, not %s", c.a, c.b, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for bytes, want := range map[int]string{0: "0 B", 64: "64 B", 1000: "1000 B", 1024: "1 KiB", 1536: "1536 B", 3 << 20: "3 MiB", 1 << 30: "1 GiB"} {
		if got := payload(bytes); got != want {
			t.Errorf("%d: %s, not %s", bytes, got, want)
		}
	}
	for n, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", 1e20: "1.0e+20"} {
		if got := thousands(n); got != want {
			t.Errorf("%v: %s, not %s", n, got, want)
		}
	}
}

// TestClean: the text has no control characters.
func TestClean(t *testing.T) {
	const replaced = "\uFFFD"
	for text, want := range map[string]string{
		"Größe µ":           "Größe µ",
		"a\nb\tc\u00a0d":    "a b c d",
		"\x1b[2Jred\a":      replaced + "[2Jred" + replaced,
		"\u202Eabc\u200Bd":  replaced + "abc" + replaced + "d",
		"bad\xffutf":        "bad" + replaced + "utf",
		"\u009b31m\x00\x7f": replaced + "31m" + replaced + replaced,
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	if got := []rune(clean(strings.Repeat("ä", 5000))); len(got) != maxText+1 || got[maxText] != '…' {
		t.Errorf("%d runes, %q at the end", len(got), got[len(got)-1])
	}
}

func TestShorten(t *testing.T) {
	exact := strings.Repeat("ä", maxName)
	for text, want := range map[string]string{
		"feedgate": "feedgate",
		exact:      exact,
		"feedgate@/home/somebody/build/before/feedgate": "feedgate@/…build/before/feedgate",
	} {
		got := shorten(text)
		if got != want || len([]rune(got)) > maxName {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
