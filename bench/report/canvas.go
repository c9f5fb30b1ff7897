package report

import (
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// chartWidth is the width of every chart, near that of a column of the page, which scales it: so
// texts have about the size that they have here.
const chartWidth = vg.Length(400)

// textSize is the size of all texts in charts.
const textSize = vg.Length(12)

// letters returns a text style.
func letters(bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: textSize}
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
		label := letters(false)
		label.XAlign, label.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		axis.Tick.Label = label
	}
	return p
}

// titleHeight is the height of an axis title.
const titleHeight = vg.Length(18)

// titleBelow writes the title of a horizontal axis along the lower edge.
func titleBelow(c draw.Canvas, title string) {
	s := letters(false)
	s.XAlign = draw.XCenter
	c.FillText(s, vg.Point{X: c.Center().X, Y: c.Min.Y + 4}, title)
}

// gridLines returns the grid lines, which are behind the data.
func gridLines(vertical, horizontal bool) *plotter.Grid {
	line := draw.LineStyle{Color: rule, Width: vg.Points(0.8)}
	g := new(plotter.Grid)
	if vertical {
		g.Vertical = line
	}
	if horizontal {
		g.Horizontal = line
	}
	return g
}

// render draws on a canvas of the given height.
func render(height vg.Length, paint func(draw.Canvas)) *svgCanvas {
	canvas := newSVG(chartWidth, height)
	paint(draw.New(canvas))
	return canvas
}
