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
	tone  tone
	shape draw.GlyphDrawer
	own   bool
}

// inks are the styles of the subjects.
var inks = map[string]style{
	"limit":      {tone: "black", shape: draw.CrossGlyph{}},
	"inline":     {tone: "blue", shape: draw.SquareGlyph{}},
	"naive":      {tone: "pink", shape: draw.PlusGlyph{}},
	"channels":   {tone: "green", shape: draw.TriangleGlyph{}},
	"batches":    {tone: "sky", shape: draw.PyramidGlyph{}},
	"gnet-async": {tone: "wine", shape: draw.RingGlyph{}},
	"gnet-loop":  {tone: "gold", shape: draw.BoxGlyph{}},
	"seed-32":    {tone: "violet", shape: draw.RingGlyph{}},
	"asio":       {tone: "khaki", shape: draw.SquareGlyph{}},
	own:          {tone: "orange", shape: draw.CircleGlyph{}, own: true},

	// By key or for another protocol: the colour of the similar subject, in another shape.
	"channels-key": {tone: "green", shape: draw.RingGlyph{}},
	"feedgate-key": {tone: "orange", shape: draw.RingGlyph{}},
	"ws-gws":       {tone: "green", shape: draw.BoxGlyph{}},
	"ws-coder":     {tone: "blue", shape: draw.RingGlyph{}},
	"ws-feedgate":  {tone: "orange", shape: draw.SquareGlyph{}},
	"tls-limit":    {tone: "black", shape: draw.BoxGlyph{}},
	"tls-feedgate": {tone: "orange", shape: draw.TriangleGlyph{}},

	"nsq-go-nsq":       {tone: "pink", shape: draw.SquareGlyph{}},
	"nsq-go-nsq-tuned": {tone: "sky", shape: draw.RingGlyph{}},
	"nsq-inline":       {tone: "blue", shape: draw.CrossGlyph{}},
	"nsq-feedgate":     {tone: "orange", shape: draw.PyramidGlyph{}},

	"kafka-bare":         {tone: "black", shape: draw.SquareGlyph{}},
	"kafka-channels":     {tone: "green", shape: draw.SquareGlyph{}},
	"kafka-feedgate":     {tone: "orange", shape: draw.BoxGlyph{}},
	"kafka-feedgate-key": {tone: "orange", shape: draw.CrossGlyph{}},
	"http-single":        {tone: "pink", shape: draw.RingGlyph{}},
	"http-feedgate":      {tone: "orange", shape: draw.PlusGlyph{}},
	"http-feedgate-key":  {tone: "violet", shape: draw.SquareGlyph{}},

	"benthos-drop": {tone: "wine", shape: draw.SquareGlyph{}},
	"benthos-file": {tone: "wine", shape: draw.TriangleGlyph{}},
	"line-discard": {tone: "khaki", shape: draw.RingGlyph{}},
	"line-file":    {tone: "khaki", shape: draw.TriangleGlyph{}},
}

// others are the styles of unknown subjects, in turn.
var others = []style{
	{tone: "grey", shape: draw.BoxGlyph{}},
	{tone: "olive", shape: draw.CrossGlyph{}},
	{tone: "mauve", shape: draw.TriangleGlyph{}},
	{tone: "rust", shape: draw.PyramidGlyph{}},
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
	l := draw.LineStyle{Color: s.tone, Width: vg.Points(1.4)}
	if s.own {
		l.Width = vg.Points(2.8)
	}
	return l
}

// whisker returns the line style of a spread.
func (s style) whisker() draw.LineStyle {
	return draw.LineStyle{Color: s.tone, Width: vg.Points(1)}
}

// glyph returns the style of a point.
func (s style) glyph() draw.GlyphStyle {
	g := draw.GlyphStyle{Color: s.tone, Shape: s.shape, Radius: vg.Points(3.2)}
	if s.own {
		g.Radius = vg.Points(4.2)
	}
	return g
}

// band returns the colour of a spread's area.
func (s style) band() color.Color {
	if s.own {
		return faded{s.tone, 0.22}
	}
	return faded{s.tone, 0.13}
}
