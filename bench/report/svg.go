package report

import (
	"fmt"
	"html"
	"html/template"
	"image"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svgCanvas draws SVG. Unlike the library's, it draws in tones, and with attributes instead of
// styles, so the page's policy can forbid any style but its own. It keeps the boxes of texts, for
// tests. Nothing that is drawn here is rotated, scaled or dashed.
type svgCanvas struct {
	width, height vg.Length
	state         svgState
	stack         []svgState
	body          strings.Builder
	used          map[tone]bool
	texts         []textBox
}

// svgState is what Push saves.
type svgState struct {
	tone    tone
	opacity float64
	line    vg.Length
	origin  vg.Point
}

// textBox is a text and its place, from the upper left corner.
type textBox struct {
	text                     string
	left, top, right, bottom float64
}

func newSVG(width, height vg.Length) *svgCanvas {
	c := &svgCanvas{width: width, height: height, used: make(map[tone]bool)}
	vg.Initialize(c)
	return c
}

// Size implements [vg.CanvasSizer].
func (c *svgCanvas) Size() (w, h vg.Length) { return c.width, c.height }

// SetLineWidth implements [vg.Canvas].
func (c *svgCanvas) SetLineWidth(w vg.Length) { c.state.line = w }

// SetLineDash implements [vg.Canvas].
func (c *svgCanvas) SetLineDash([]vg.Length, vg.Length) {}

// SetColor implements [vg.Canvas]. What is no tone is drawn as ink.
func (c *svgCanvas) SetColor(to color.Color) {
	c.state.tone, c.state.opacity = ink, 1
	switch to := to.(type) {
	case tone:
		c.state.tone = to
	case faded:
		c.state.tone, c.state.opacity = to.tone, to.opacity
	}
}

// Rotate implements [vg.Canvas].
func (c *svgCanvas) Rotate(float64) {}

// Translate implements [vg.Canvas].
func (c *svgCanvas) Translate(by vg.Point) { c.state.origin = c.state.origin.Add(by) }

// Scale implements [vg.Canvas].
func (c *svgCanvas) Scale(_, _ float64) {}

// Push implements [vg.Canvas].
func (c *svgCanvas) Push() { c.stack = append(c.stack, c.state) }

// Pop implements [vg.Canvas].
func (c *svgCanvas) Pop() {
	c.state = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

// DrawImage implements [vg.Canvas].
func (c *svgCanvas) DrawImage(vg.Rectangle, image.Image) {}

// Stroke implements [vg.Canvas].
func (c *svgCanvas) Stroke(path vg.Path) {
	if c.state.line > 0 {
		c.draw(path, fmt.Sprintf(` fill="none" stroke="currentColor" stroke-width="%s"`, coordinate(c.state.line)))
	}
}

// Fill implements [vg.Canvas].
func (c *svgCanvas) Fill(path vg.Path) {
	attributes := ` fill="currentColor"`
	if c.state.opacity < 1 {
		attributes += fmt.Sprintf(` fill-opacity="%.3g"`, c.state.opacity)
	}
	c.draw(path, attributes)
}

func (c *svgCanvas) draw(path vg.Path, attributes string) {
	c.used[c.state.tone] = true
	fmt.Fprintf(&c.body, `<path class="%s"%s d="%s"/>`+"\n", c.state.tone, attributes, c.data(path))
}

// FillString implements [vg.Canvas].
func (c *svgCanvas) FillString(face font.Face, at vg.Point, text string) {
	if text == "" {
		return
	}
	c.used[c.state.tone] = true
	wide, size := face.Width(text), face.Font.Size
	left, base := c.place(at)
	extents := face.Extents()
	c.texts = append(c.texts, textBox{text, left, base - extents.Ascent.Points(), left + wide.Points(), base + extents.Descent.Points()})
	weight := ""
	if face.Font.Weight > 0 {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(&c.body, `<text class="%s" fill="currentColor" x="%s" y="%s" font-size="%g"%s textLength="%s" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
		c.state.tone, decimal(left), decimal(base), size.Points(), weight, coordinate(wide), html.EscapeString(text))
}

// place returns the coordinates of a point in SVG, where y grows downwards.
func (c *svgCanvas) place(at vg.Point) (x, y float64) {
	at = at.Add(c.state.origin)
	return at.X.Points(), (c.height - at.Y).Points()
}

// data returns a path as the attribute d. Arcs are those of glyphs, which are whole circles.
func (c *svgCanvas) data(path vg.Path) string {
	var b strings.Builder
	for _, part := range path {
		x, y := c.place(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			fmt.Fprintf(&b, "M%s,%s", decimal(x), decimal(y))
		case vg.LineComp:
			fmt.Fprintf(&b, "L%s,%s", decimal(x), decimal(y))
		case vg.ArcComp:
			r := part.Radius.Points()
			start := x + r*math.Cos(part.Start)
			fmt.Fprintf(&b, "M%s,%sa%s,%[3]s 0 1 0 %[4]s,0a%[3]s,%[3]s 0 1 0 %[5]s,0", decimal(start), decimal(y), decimal(r), decimal(-2*r), decimal(2*r))
		case vg.CloseComp:
			b.WriteByte('Z')
		}
	}
	return b.String()
}

// embedded returns the drawing for the page. name is its accessible name.
func (c *svgCanvas) embedded(name string) template.HTML {
	return template.HTML(c.document(name, "", 0))
}

// file returns the drawing as a file of its own, on a background, light or dark as its reader prefers.
func (c *svgCanvas) file(name string) string {
	c.used[paper] = true
	style := stylesheet(func(t tone) bool { return c.used[t] }) + "svg{background:var(--paper)}\n" + letterStyle
	return c.document(name, "<style>\n"+style+"</style>\n", 8)
}

func (c *svgCanvas) document(name, head string, margin vg.Length) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="%s %[1]s %s %s" role="img" aria-label="%s">`+"\n%s%s</svg>\n",
		coordinate(-margin), coordinate(c.width+2*margin), coordinate(c.height+2*margin), html.EscapeString(name), head, c.body.String())
}

func coordinate(v vg.Length) string { return decimal(v.Points()) }

// decimal formats a coordinate with at most two decimals.
func decimal(v float64) string {
	s := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}
