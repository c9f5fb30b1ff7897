package report

import (
	"math"
	"strings"
	"testing"
)

// linear returns the linear light of a colour, red, green and blue.
func linear(hex uint32) (l [3]float64) {
	for i, shift := range []uint{16, 8, 0} {
		c := float64(hex>>shift&0xFF) / 255
		if c <= 0.04045 {
			l[i] = c / 12.92
		} else {
			l[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return l
}

// contrast returns the contrast ratio of WCAG.
func contrast(a, b uint32) float64 {
	luminance := func(hex uint32) float64 {
		l := linear(hex)
		return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// sights are matrices for linear light: normal sight, and Machado's of protanopia, deuteranopia and
// tritanopia.
var sights = map[string][9]float64{
	"normal": {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protan": {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deutan": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritan": {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

// lab returns a colour in CIELAB, as seen with a sight.
func lab(hex uint32, m [9]float64) [3]float64 {
	l := linear(hex)
	var seen [3]float64
	for i := range seen {
		seen[i] = min(max(m[3*i]*l[0]+m[3*i+1]*l[1]+m[3*i+2]*l[2], 0), 1)
	}
	f := func(x, y, z, white float64) float64 {
		t := (x*seen[0] + y*seen[1] + z*seen[2]) / white
		if t > 0.008856 {
			return math.Cbrt(t)
		}
		return 7.787*t + 16.0/116
	}
	x, y, z := f(0.4124564, 0.3575761, 0.1804375, 0.95047), f(0.2126729, 0.7151522, 0.0721750, 1), f(0.0193339, 0.1191920, 0.9503041, 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// modes are the two colours of a tone.
var modes = map[string]func(pair) uint32{
	"light": func(p pair) uint32 { return p.light },
	"dark":  func(p pair) uint32 { return p.dark },
}

func find(t *testing.T, name tone) pair {
	t.Helper()
	for _, p := range tones {
		if p.tone == name {
			return p
		}
	}
	t.Fatalf("no tone %s", name)
	return pair{}
}

// ofSubjects returns the tones that subjects have.
func ofSubjects(t *testing.T) (all []pair) {
	t.Helper()
	seen := make(map[tone]bool)
	add := func(s style) {
		if !seen[s.tone] {
			seen[s.tone] = true
			all = append(all, find(t, s.tone))
		}
	}
	for _, s := range inks {
		add(s)
	}
	for _, s := range others {
		add(s)
	}
	return all
}

// TestContrast: WCAG 2.2 AA, 4.5 for text and 3 for what is drawn, on each background it may have.
func TestContrast(t *testing.T) {
	if c := contrast(0x000000, 0xFFFFFF); math.Abs(c-21) > 1e-9 {
		t.Fatalf("black on white: %v", c)
	}
	for mode, color := range modes {
		at := func(front, back pair, least float64) {
			if c := contrast(color(front), color(back)); c < least {
				t.Errorf("%s: %s on %s: %.2f", mode, front.tone, back.tone, c)
			}
		}
		for _, back := range []tone{paper, highlight} {
			for _, text := range []tone{ink, muted, better, worse, link} {
				at(find(t, text), find(t, back), 4.5)
			}
		}
		for _, p := range ofSubjects(t) {
			at(p, find(t, paper), 3)
		}
	}
}

// TestColoursDiffer: of any two subjects, with any sight.
func TestColoursDiffer(t *testing.T) {
	all := ofSubjects(t)
	if len(all) < 14 {
		t.Fatalf("%d colours", len(all))
	}
	for mode, color := range modes {
		for sight, m := range sights {
			for i, a := range all {
				for _, b := range all[:i] {
					p, q := lab(color(a), m), lab(color(b), m)
					if d := math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2]); d < 11 {
						t.Errorf("%s, %s: %s and %s are %.1f apart", mode, sight, a.tone, b.tone, d)
					}
				}
			}
		}
	}
}

// TestStylesheet: it has both colours of the tones that are used, and on paper the light ones.
func TestStylesheet(t *testing.T) {
	got := stylesheet(func(t tone) bool { return t == "blue" })
	same(t, got, `:root{color-scheme:light dark;--blue:#006CB0;}
@media print{:root{color-scheme:light}}
@media screen and (prefers-color-scheme:dark){:root{--blue:#4999DE;}}
.blue{color:var(--blue)}
`)
	for _, p := range tones {
		if r, g, b, _ := p.RGBA(); uint32(r>>8)<<16|uint32(g>>8)<<8|uint32(b>>8) != p.light {
			t.Errorf("%s is %x %x %x", p.tone, r, g, b)
		}
	}
	for _, line := range strings.Split(pageStyle, "\n") {
		if strings.Contains(line, "#") {
			t.Errorf("a colour that is no tone: %s", line)
		}
	}
}
