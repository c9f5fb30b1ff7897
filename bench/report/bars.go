package report

import (
	"html/template"
	"image/color"
	"math"

	"feedgate/bench"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxRatio is the ratio of the largest value to the smallest above which a scale is logarithmic, if
// that is allowed: on a linear scale, small values would be indistinguishable.
const maxRatio = 30

// bar is one subject's value. An unknown value has a row without a bar.
type bar struct {
	name  string
	style style
	point point
	known bool
}

// barChart has horizontal bars, from top to bottom. On a logarithmic scale, where the length of a
// bar would be meaningless, they are points on thin lines.
type barChart struct {
	bars  []bar
	title string // of the values
	log   bool
}

// bars returns a chart of one figure. ok is false if no row has it.
func bars(rows []*bench.Row, m metric, colours palette) (chart *barChart, ok bool) {
	chart = &barChart{title: m.head}
	least, most := math.Inf(1), 0.0
	for _, r := range rows {
		b := bar{name: name(r), style: colours.of(r.Subject)}
		if b.point, b.known = m.drawable(r); b.known {
			least, most = min(least, b.point.value), max(most, b.point.value)
			ok = true
		}
		chart.bars = append(chart.bars, b)
	}
	// Rates are compared by length. Costs, of which the best are near 0, are compared by ratio.
	chart.log = m.better < 0 && most/least > maxRatio
	return chart, ok
}

const (
	barPitch   = vg.Length(24)
	barWidth   = vg.Length(15)
	barMargins = vg.Length(48) // above and below, with the axis
)

// svg draws the chart.
func (b *barChart) svg(label string) (template.HTML, error) {
	p := newPlot()
	p.HideY()
	p.Y.Min, p.Y.Max = -0.5, float64(len(b.bars))-0.5
	least, most := math.Inf(1), 0.0
	for _, bar := range b.bars {
		if bar.known {
			least, most = min(least, bar.point.lo), max(most, bar.point.hi)
		}
	}
	if b.log {
		p.X.Min, p.X.Max = wide(least/1.3, most)
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = logTicks(p.X.Min, p.X.Max)
	} else {
		p.X.Min, p.X.Max = 0, most
		p.X.Tick.Marker = linearTicks(most)
	}
	p.Add(gridLines(true, false), b)

	var names, values vg.Length
	for _, bar := range b.bars {
		names = max(names, letters(12, bar.style.own).Width(bar.name))
		values = max(values, bar.value().Width(bar.text()))
	}
	height := barPitch*vg.Length(len(b.bars)) + barMargins
	return render(height, label, func(c draw.Canvas) {
		c = draw.Crop(c, names+10, -values-10, 0, -4)
		titleBelow(c, b.title)
		p.Draw(draw.Crop(c, 0, 0, titleHeight, 0))
	})
}

// text returns the label of the bar, and value its style.
func (b bar) text() string {
	if !b.known {
		return absent
	}
	return figure(b.point.value)
}

func (b bar) value() text.Style { return letters(11, b.style.own) }

// Plot implements [plot.Plotter]. It writes names to the left of c and values to
// the right of the bars; svg leaves space for both.
func (b *barChart) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	left := c.Min.X
	for i, bar := range b.bars {
		at := y(float64(len(b.bars) - 1 - i))
		name := letters(12, bar.style.own)
		name.XAlign, name.YAlign = draw.XRight, draw.YCenter
		c.FillText(name, vg.Point{X: left - 8, Y: at}, bar.name)

		end := left
		if bar.known {
			end = x(bar.point.hi)
			b.drawBar(c, bar, x, at)
		}
		value := bar.value()
		value.YAlign = draw.YCenter
		c.FillText(value, vg.Point{X: end + 6, Y: at}, bar.text())
	}
	c.StrokeLine2(p.X.LineStyle, left, c.Min.Y, left, c.Max.Y)
}

func (b *barChart) drawBar(c draw.Canvas, bar bar, x func(float64) vg.Length, y vg.Length) {
	left, right := c.Min.X, x(bar.point.value)
	whisker := draw.LineStyle{Color: ink, Width: vg.Points(1.2)}
	halo := draw.LineStyle{Color: color.White, Width: vg.Points(3.2)}
	if b.log {
		c.StrokeLine2(bar.style.whisker(), left, y, right, y)
		whisker.Color, halo.Width = bar.style.color, 0
	} else {
		c.FillPolygon(bar.style.color, []vg.Point{
			{X: left, Y: y - barWidth/2}, {X: right, Y: y - barWidth/2},
			{X: right, Y: y + barWidth/2}, {X: left, Y: y + barWidth/2},
		})
	}
	if lo, hi := x(bar.point.lo), x(bar.point.hi); lo < hi {
		for _, line := range []draw.LineStyle{halo, whisker} {
			c.StrokeLine2(line, lo, y, hi, y)
			c.StrokeLine2(line, lo, y-4, lo, y+4)
			c.StrokeLine2(line, hi, y-4, hi, y+4)
		}
	}
	if b.log {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: bar.style.color, Shape: draw.CircleGlyph{}, Radius: 4.5}, vg.Point{X: right, Y: y})
	}
}
