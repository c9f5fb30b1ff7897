package report

import (
	"fmt"
	"image/color"
	"strings"
)

// tone is a colour of the page and its charts, by name. In CSS it is the variable --NAME and, for
// what is drawn, the class NAME: so charts follow the reader's choice of light or dark.
type tone string

// Tones of the page.
const (
	paper     tone = "paper"     // the background
	ink       tone = "ink"       // text and axes
	muted     tone = "muted"     // spreads and notes
	rule      tone = "rule"      // lines of tables and grids
	highlight tone = "highlight" // the background of our own rows
	better    tone = "better"
	worse     tone = "worse"
	link      tone = "link" // and the outline of what has the focus
)

// pair has the colours of a tone, on a light and on a dark page.
type pair struct {
	tone
	light, dark uint32
}

// tones are all colours. Text has a contrast of at least 4.5 with its background, and subjects one
// of 3, as WCAG 2.2 level AA requires; any two subjects are at least 11 apart in CIELAB, also under
// Machado's simulations (2009) of colour blindness.
var tones = []pair{
	{paper, 0xFFFFFF, 0x15181C},
	{ink, 0x1F2328, 0xE4E7EA},
	{muted, 0x57606A, 0xA3ABB5},
	{rule, 0xD8DCE1, 0x3A4048},
	{highlight, 0xFDF1E7, 0x33261C},
	{better, 0x00558A, 0x7CC4FF},
	{worse, 0xA83E00, 0xFF9A6B},
	{link, 0x0B5CAD, 0x7CC4FF},

	// Subjects:
	{"black", 0x31312D, 0xDBD8D8},
	{"blue", 0x006CB0, 0x4999DE},
	{"pink", 0xA964A0, 0xE990BE},
	{"green", 0x198C63, 0x2FB98E},
	{"sky", 0x389BD0, 0x7AC8FD},
	{"wine", 0x881F4B, 0xC24072},
	{"gold", 0xAA8F47, 0xF3CE49},
	{"violet", 0x4B2A9B, 0x8F77F1},
	{"khaki", 0x896934, 0xB59A58},
	{"orange", 0xE8480F, 0xFA8431},
	{"grey", 0x6C6F74, 0x828D95},
	{"olive", 0x5C8B00, 0xA7C452},
	{"mauve", 0xA08C9E, 0xBACAE8},
	{"rust", 0x8F2602, 0xB25A3B},
}

// RGBA implements [color.Color], with the light colour.
func (t tone) RGBA() (r, g, b, a uint32) {
	for _, p := range tones {
		if p.tone == t {
			return rgb(p.light).RGBA()
		}
	}
	return color.Black.RGBA()
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// faded is a translucent tone.
type faded struct {
	tone
	opacity float64
}

// stylesheet returns the variables and classes of the tones that are used. On paper, the light
// colours apply.
func stylesheet(used func(tone) bool) string {
	var light, dark, classes strings.Builder
	for _, p := range tones {
		if !used(p.tone) {
			continue
		}
		fmt.Fprintf(&light, "--%s:#%06X;", p.tone, p.light)
		fmt.Fprintf(&dark, "--%s:#%06X;", p.tone, p.dark)
		fmt.Fprintf(&classes, ".%s{color:var(--%[1]s)}\n", p.tone)
	}
	return fmt.Sprintf(":root{color-scheme:light dark;%s}\n@media print{:root{color-scheme:light}}\n"+
		"@media screen and (prefers-color-scheme:dark){:root{%s}}\n%s", &light, &dark, &classes)
}

// letterStyle is the style of texts in charts. They are measured with Liberation Sans; those that
// follow have its widths, and textLength fits any other font into the measured width.
const letterStyle = `svg text{font-family:"Liberation Sans",Arial,Helvetica,sans-serif}` + "\n"
