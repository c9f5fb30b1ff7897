package view

import (
	"fmt"
	"math"
	"testing"
)

func TestTexts(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		value fmt.Stringer
		want  string
	}{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(1234567.4), "1,234,567"}, {Count(1e15), "1e+15"},
		{Rate(nan), "–"}, {Rate(0), "0"}, {Rate(0.01), "0.1"}, {Rate(4.25), "4.2"}, {Rate(9.96), "10"}, {Rate(29012345), "29,012,345"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1,023 B"}, {Bytes(1536), "1.50 KiB"}, {Bytes(64 << 20), "64 MiB"}, {Bytes(1 << 60), "1,048,576 TiB"},
		{Seconds(nan), "–"}, {Seconds(0), "0"}, {Seconds(1e-9), "0.10 µs"}, {Seconds(12.34e-6), "12.3 µs"}, {Seconds(0.9999e-3), "1 ms"},
		{Seconds(0.0123), "12.3 ms"}, {Seconds(1), "1 s"}, {Seconds(12.345), "12.3 s"}, {Seconds(59.99), "60 s"},
		{Seconds(125), "2 min 5 s"}, {Seconds(3*3600 + 720), "3 h 12 min"}, {Seconds(80 * 3600), "3 days"},
		{Age(0), "none"}, {Age(2), "2 s"},
		{Share(nan), "–"}, {Share(0), "0%"}, {Share(0.001), "<1%"}, {Share(0.994), "99%"}, {Share(7), "100%"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%T(%g) is %q, want %q", c.value, c.value, got, c.want)
		}
	}
}

func TestShortRates(t *testing.T) {
	for rate, want := range map[Rate]string{
		0: "0", 9999: "9,999", 10000: "10k", 12345: "12.3k", 999499: "999k", 999500: "1M", 29e6: "29M", 9.99e17: "999P", 1e30: ">999P",
	} {
		if got := rate.Short(); got != want {
			t.Errorf("%v is %q, want %q", float64(rate), got, want)
		}
	}
	if got := Rate(math.NaN()).Short(); got != unknown {
		t.Errorf("an unknown rate is %q", got)
	}
}

func TestBytesPerSecond(t *testing.T) {
	if a, b := Rate(2048).BytesPerSecond(), Rate(math.NaN()).BytesPerSecond(); a != "2 KiB/s" || b != unknown {
		t.Errorf("%s, %s", a, b)
	}
}

func TestGaugeWithoutLimit(t *testing.T) {
	if g := (Gauge{5, 0}); g.Percent() != "0.0" || g.Share() != 0 {
		t.Errorf("%s", g.Percent())
	}
	if g := (Gauge{5, 2}); g.Percent() != "100.0" {
		t.Errorf("%s", g.Percent())
	}
}
