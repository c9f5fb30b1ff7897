package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unknown is shown for what cannot be known yet, and for quantiles of nothing.
const unknown = "–"

// Count is a number of things.
type Count float64

func (c Count) String() string { return thousands(float64(c)) }

// Rate is a number per second; NaN: not known.
type Rate float64

func (r Rate) String() string {
	switch v := float64(r); {
	case math.IsNaN(v):
		return unknown
	case v > 0 && v < 9.95:
		return strconv.FormatFloat(max(v, 0.1), 'f', 1, 64)
	default:
		return thousands(v)
	}
}

// Plot returns the rate as a number for a script; "": it is not known.
func (r Rate) Plot() string {
	if math.IsNaN(float64(r)) {
		return ""
	}
	return strconv.FormatFloat(float64(r), 'f', 1, 64)
}

// Short is String in at most six columns, such as 29.0M.
func (r Rate) Short() string {
	v := float64(r)
	if math.IsNaN(v) || v < 9999.5 {
		return r.String()
	}
	for _, unit := range "kMGTP" {
		if v /= 1000; v < 999.5 {
			return digits(v) + string(unit)
		}
	}
	return ">999P"
}

// Short is String in at most five characters.
func (c Count) Short() string {
	if c < 1000 {
		return c.String()
	}
	return Rate(c).Short()
}

// BytesPerSecond is String for a rate of bytes.
func (r Rate) BytesPerSecond() string {
	if math.IsNaN(float64(r)) {
		return unknown
	}
	return Bytes(r).String() + "/s"
}

// Bytes is a number of bytes.
type Bytes float64

func (b Bytes) String() string {
	v := float64(b)
	if v < 1024 {
		return thousands(v) + " B"
	}
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v /= 1024; v < 999.5 {
			return digits(v) + " " + unit
		}
	}
	return thousands(v) + " TiB"
}

// Seconds is a duration; NaN: not known.
type Seconds float64

func (s Seconds) String() string {
	v := float64(s)
	switch {
	case math.IsNaN(v):
		return unknown
	case v == 0:
		return "0"
	case v < 999.5e-6:
		return digits(max(v*1e6, 0.1)) + " µs"
	case v < 0.9995:
		return digits(v*1e3) + " ms"
	case v < 60:
		return digits(v) + " s"
	case v < 3600:
		return fmt.Sprintf("%d min %d s", int(v)/60, int(v)%60)
	case v < 48*3600:
		return fmt.Sprintf("%d h %d min", int(v)/3600, int(v)%3600/60)
	}
	return thousands(math.Floor(v/86400)) + " days"
}

// Known reports whether s is known.
func (s Seconds) Known() bool { return !math.IsNaN(float64(s)) }

// Duration returns s, which is known.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Age is that of the oldest message, in seconds; 0: there is none.
type Age float64

func (a Age) String() string {
	if a == 0 {
		return "none"
	}
	return Seconds(a).String()
}

// Share is a part of the time; NaN: not known.
type Share float64

func (s Share) String() string {
	switch v := float64(s) * 100; {
	case math.IsNaN(v):
		return unknown
	case v == 0:
		return "0%"
	case v < 0.95:
		return "<1%"
	default:
		return strconv.Itoa(int(math.Round(min(v, 100)))) + "%"
	}
}

// digits formats a number below 1,000 with about three digits.
func digits(v float64) string {
	switch {
	case v < 9.995:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00")
	case v < 99.95:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// thousands formats a number of at least 0, rounded, with commas.
func thousands(v float64) string {
	if v >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Gauge is a number and its limit; 0: it has none.
type Gauge struct{ Now, Limit float64 }

// Share returns how much of the limit is used.
func (g Gauge) Share() Share {
	if g.Limit == 0 {
		return 0
	}
	return Share(min(g.Now/g.Limit, 1))
}

// Percent is Share for the width of a bar.
func (g Gauge) Percent() string { return strconv.FormatFloat(100*float64(g.Share()), 'f', 1, 64) }

// Rounded returns the rate as a whole number; 0 if it is not known.
func (r Rate) Rounded() int64 {
	if math.IsNaN(float64(r)) {
		return 0
	}
	return int64(math.Round(float64(r)))
}
