package bench_test

import (
	"strings"
	"testing"

	"feedgate/bench"
)

func TestThresholds(t *testing.T) {
	value := func(v float64) *float64 { return &v }
	rows := []bench.Row{
		{Subject: "inline", Size: 64, Workers: 2, OfLimit: value(0.5), Missing: 1},
		{Subject: "feedgate", Size: 64, Workers: 2, OfLimit: value(0.9), P99US: value(2000)},
		{Subject: "feedgate", Size: 128, Workers: 2, OfLimit: value(0.8), P99US: value(3000)},
	}
	for text, want := range map[string]int{
		"of_limit<0.6":            0, // applies to feedgate
		"of_limit<0.85":           1,
		"of_limit < 0.95":         2,
		"inline:of_limit<0.6":     1,
		"p99_us>2000":             1,
		"p99_us>=2e3":             2,
		"p99_us<=2000":            1,
		"p99_us==2000":            1,
		"p99_us!=2000":            1,
		"missing>0":               0,
		"inline:missing>0":        1,
		"inline:p99_us>1e9":       1, // not known
		"feedgate:duplicate != 0": 0,
		" inline : of_limit<0.6":  1,
		"naive:of_limit<0.6":      1, // without a row
		"feedgate@/a:b:missing>0": 1, // the same
	} {
		th, err := bench.ParseThreshold(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		lines := th.Crossed(rows)
		if len(lines) != want {
			t.Errorf("%s: crossed %q, want %d", text, lines, want)
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, text+": ") {
				t.Errorf("%s: %q", text, line)
			}
		}
	}
	th, err := bench.ParseThreshold("of_limit<0.6")
	if err != nil || len(th.Crossed(rows[:1])) != 1 {
		t.Errorf("without feedgate's rows a threshold is not meant for all: %v", err)
	}
}

func TestBadThresholds(t *testing.T) {
	for text, want := range map[string]string{
		"":                "has none of",
		"p99_us":          "has none of",
		"p98_us>1":        `no figure "p98_us"`,
		"nobody:p99_us>1": `no subject "nobody"`,
		"p99_us>":         "not a number",
		"p99_us>x":        "not a number",
		"p99_us>NaN":      "not a number",
		"p99_us=1":        "is not one of",
		"p99_us=>1":       "is not one of",
	} {
		if _, err := bench.ParseThreshold(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}
