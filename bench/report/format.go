package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"feedgate/bench"
)

// absent replaces an unknown figure.
const absent = "-"

// maxText is the maximum length of a text from a file, in runes.
const maxText = 1000

// figure formats a number with 3 significant digits, or all 4 digits before the point, and at most
// 5 decimals; from 10,000 on in thousands, millions and so on.
func figure(v float64) string {
	// Rounding first decides between 9999 and 10.0k.
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		rounded = v // rounded up beyond what there is
	}
	size := math.Abs(rounded)
	switch {
	case size == 0:
		return "0"
	case size < 1e-4 || size >= 1e13:
		return strconv.FormatFloat(v, 'e', 1, 64)
	}
	scale, unit := magnitude(size)
	decimals := 2 - int(math.Floor(math.Log10(size/scale)))
	return strconv.FormatFloat(v/scale, 'f', min(max(decimals, 0), 5), 64) + unit
}

// magnitude returns the unit for a number of that size, none up to 10,000.
func magnitude(size float64) (scale float64, unit string) {
	scale = 1
	for _, u := range []string{"k", "M", "G"} {
		if size < scale*1e4 {
			break
		}
		scale, unit = scale*1e3, u
	}
	return scale, unit
}

// optional formats a figure that may be nil.
func optional(v *float64, scale float64) string {
	if v == nil {
		return absent
	}
	return figure(*v / scale)
}

// span formats an interval.
func span(i bench.Interval, scale float64) string {
	return figure(i.Lo/scale) + "–" + figure(i.Hi/scale)
}

// percent formats the difference of b from a, which is not 0.
func percent(a, b float64) string {
	change := (b - a) / math.Abs(a) * 100
	format := "%+.1f%%"
	switch size := math.Abs(change); {
	case size >= 1e6:
		format = "%+.1e%%"
	case size >= 1e3:
		format = "%+.0f%%"
	}
	return fmt.Sprintf(format, change)
}

// thousands formats an integer with commas between groups of three digits.
func thousands(n float64) string {
	digits := strconv.FormatFloat(math.Abs(n), 'f', 0, 64)
	if len(digits) > 15 {
		return figure(n)
	}
	var b strings.Builder
	if n < 0 {
		b.WriteByte('-')
	}
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// payload formats a number of bytes.
func payload(bytes int) string {
	for _, unit := range []struct {
		bytes int
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes >= unit.bytes && bytes%unit.bytes == 0 {
			return fmt.Sprintf("%d %s", bytes/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d B", bytes)
}

// count formats a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// clean returns a text from a file without characters that could move a terminal's cursor or break
// a table, and limits its length.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	return clip(text, maxText)
}

// clip truncates text to a number of runes.
func clip(text string, most int) string {
	for i := range text {
		if most--; most < 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// maxName is the maximum length of a name, in runes.
const maxName = 32

// shorten cuts a name in the middle, because names of builds in different directories begin alike.
func shorten(name string) string {
	const head = 10
	runes := []rune(name)
	if len(runes) <= maxName {
		return name
	}
	return string(runes[:head]) + "…" + string(runes[len(runes)-(maxName-head-1):])
}
