package report

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// own is the subject with which the others are compared. It is drawn last and thicker, and its name
// is bold.
const own = "feedgate"

// style is the style of a subject in all charts of a page. Subjects measured by default also differ
// in shape.
type style struct {
	color color.RGBA
	shape draw.GlyphDrawer
	own   bool
}

// inks are the colours of the subjects, on white, distinguishable for colour-blind readers: at
// least 11 apart in CIELAB under Machado's simulations of 2009.
var inks = map[string]style{
	"limit":      {color: rgb(0x333333), shape: draw.CrossGlyph{}},
	"inline":     {color: rgb(0x0072B2), shape: draw.SquareGlyph{}},
	"naive":      {color: rgb(0xCC79A7), shape: draw.PlusGlyph{}},
	"channels":   {color: rgb(0x008A66), shape: draw.TriangleGlyph{}},
	"batches":    {color: rgb(0x56B4E9), shape: draw.PyramidGlyph{}},
	"gnet-async": {color: rgb(0x8A1C4A), shape: draw.RingGlyph{}},
	"gnet-loop":  {color: rgb(0xE0B030), shape: draw.BoxGlyph{}},
	"seed-32":    {color: rgb(0x4B2A9B), shape: draw.RingGlyph{}},
	"asio":       {color: rgb(0xA08040), shape: draw.SquareGlyph{}},
	own:          {color: rgb(0xD55E00), shape: draw.CircleGlyph{}, own: true},

	// By key or for another protocol: the colour of the similar subject, in another shape.
	"channels-key": {color: rgb(0x008A66), shape: draw.RingGlyph{}},
	"feedgate-key": {color: rgb(0xD55E00), shape: draw.RingGlyph{}},
	"ws-gws":       {color: rgb(0x008A66), shape: draw.BoxGlyph{}},
	"ws-coder":     {color: rgb(0x0072B2), shape: draw.RingGlyph{}},
	"ws-feedgate":  {color: rgb(0xD55E00), shape: draw.SquareGlyph{}},
	"tls-limit":    {color: rgb(0x333333), shape: draw.BoxGlyph{}},
	"tls-feedgate": {color: rgb(0xD55E00), shape: draw.TriangleGlyph{}},

	"nsq-go-nsq":       {color: rgb(0xCC79A7), shape: draw.SquareGlyph{}},
	"nsq-go-nsq-tuned": {color: rgb(0x56B4E9), shape: draw.RingGlyph{}},
	"nsq-inline":       {color: rgb(0x0072B2), shape: draw.CrossGlyph{}},
	"nsq-feedgate":     {color: rgb(0xD55E00), shape: draw.PyramidGlyph{}},
}

// others are the styles of unknown subjects, in turn.
var others = []style{
	{color: rgb(0x7D7D7D), shape: draw.BoxGlyph{}},
	{color: rgb(0x5C8A00), shape: draw.CrossGlyph{}},
	{color: rgb(0xB59BD8), shape: draw.TriangleGlyph{}},
	{color: rgb(0x8C2D04), shape: draw.PyramidGlyph{}},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// palette gives each subject of a page its style.
type palette map[string]style

// of returns the subject's style. An unknown subject gets one at the first call.
func (p palette) of(subject string) style {
	if s, known := inks[subject]; known {
		return s
	}
	s, given := p[subject]
	if !given {
		s = others[len(p)%len(others)]
		p[subject] = s
	}
	return s
}

// line returns the style of the subject's line.
func (s style) line() draw.LineStyle {
	l := draw.LineStyle{Color: s.color, Width: vg.Points(1.4)}
	if s.own {
		l.Width = vg.Points(2.8)
	}
	return l
}

// whisker returns the line style of a spread.
func (s style) whisker() draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: vg.Points(1)}
}

// glyph returns the style of a point.
func (s style) glyph() draw.GlyphStyle {
	g := draw.GlyphStyle{Color: s.color, Shape: s.shape, Radius: vg.Points(3.2)}
	if s.own {
		g.Radius = vg.Points(4.2)
	}
	return g
}

// band returns the colour of a spread's area.
func (s style) band() color.Color {
	c := color.NRGBA{s.color.R, s.color.G, s.color.B, 0x20}
	if s.own {
		c.A = 0x38
	}
	return c
}
