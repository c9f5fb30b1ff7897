package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chartWidth is the width of every chart. The page scales it.
const chartWidth = vg.Length(440)

var (
	ink   = rgb(0x222222) // of text and axes
	faint = rgb(0xDDDDDD) // of the grid
)

// letters returns a text style.
func letters(size vg.Length, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: ink, Font: f, Handler: plot.DefaultTextHandler}
}

// newPlot returns a plot in the page's style. Its axes have no titles, because the library
// misplaces the title of a logarithmic axis.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.Color, axis.Width = ink, vg.Points(0.8)
		axis.Tick.Color, axis.Tick.Width, axis.Tick.Length = ink, vg.Points(0.8), 5
		label := letters(11, false)
		label.XAlign, label.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		axis.Tick.Label = label
	}
	return p
}

// titleHeight is the height of an axis title.
const titleHeight = vg.Length(18)

// titleBelow writes the title of a horizontal axis along the lower edge.
func titleBelow(c draw.Canvas, title string) {
	s := letters(12, false)
	s.XAlign = draw.XCenter
	c.FillText(s, vg.Point{X: c.Center().X, Y: c.Min.Y + 4}, title)
}

// gridLines returns the grid lines, which are behind the data.
func gridLines(vertical, horizontal bool) *plotter.Grid {
	line := draw.LineStyle{Color: faint, Width: vg.Points(0.8)}
	g := new(plotter.Grid)
	if vertical {
		g.Vertical = line
	}
	if horizontal {
		g.Horizontal = line
	}
	return g
}

// render draws on a canvas of the given height and returns it as SVG, for embedding in a page.
// Texts are escaped, nothing external is referenced, and fonts are Liberation Sans, fonts of equal
// width, or any sans-serif one.
func render(height vg.Length, label string, paint func(draw.Canvas)) (template.HTML, error) {
	canvas := vgsvg.New(chartWidth, height)
	paint(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw a chart: %w", err)
	}
	// Replace the library's prolog: an XML declaration, which a page must not have, and a size in points.
	_, body, _ := strings.Cut(b.String(), "<svg")
	_, body, _ = strings.Cut(body, ">")
	body = shorter.Replace(body)
	return template.HTML(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">%s`,
		chartWidth.Points(), height.Points(), html.EscapeString(label), body)), nil
}

// shorter drops default attributes and lists font families.
var shorter = strings.NewReplacer(
	"font-family:Liberation Sans;font-variant:normal;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;",
	"font-weight:normal;font-style:normal;", "",
	";font-style:normal;", ";",
)
