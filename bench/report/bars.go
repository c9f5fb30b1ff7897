package report

import (
	"math"
	"strings"

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
	name   string
	style  style
	point  point
	spread bool // has one
	known  bool
}

// barChart has horizontal bars, from top to bottom. On a logarithmic scale, where the length of a
// bar would be meaningless, they are points on thin lines.
type barChart struct {
	bars  []bar
	title string // of the values
	log   bool
}

// bars returns a chart of one figure. ok is false if no row has it.
func bars(rows []*bench.Row, c column, colours palette) (chart *barChart, ok bool) {
	chart = &barChart{title: c.head()}
	least, most := math.Inf(1), 0.0
	for _, r := range rows {
		b := bar{name: name(r), style: colours.of(r.Subject)}
		if b.point, b.known = c.drawable(r); b.known {
			_, b.spread = c.interval(r)
			least, most = min(least, b.point.value), max(most, b.point.value)
			ok = true
		}
		chart.bars = append(chart.bars, b)
	}
	// Rates are compared by length. Costs, of which the best are near 0, are compared by ratio.
	chart.log = c.better < 0 && most/least > maxRatio
	return chart, ok
}

const (
	barPitch   = vg.Length(25)
	barWidth   = vg.Length(15)
	barMargins = vg.Length(48) // above and below, with the axis
	// maxNames is how wide the names beside the bars may be. Wider ones are above their bars.
	maxNames  = chartWidth / 3
	nameAbove = vg.Length(16) // its height
	nameGap   = vg.Length(8)  // between a name and the axis
	valueGap  = vg.Length(6)  // between a bar and its value
	halfLabel = vg.Length(20) // of the axis, beyond its end
)

// draw draws the chart.
func (b *barChart) draw() *svgCanvas {
	p := newPlot()
	p.HideY()
	p.Y.Min, p.Y.Max = -0.5, float64(len(b.bars))-0.5
	ticks := b.scale(p)
	names, values := b.widths()
	beside, pitch := max(names+nameGap+2, halfLabel), barPitch
	if names > maxNames {
		beside, pitch = halfLabel, barPitch+nameAbove
	}
	p.Add(gridLines(true, false), barPlot{b, names > maxNames})
	return render(pitch*vg.Length(len(b.bars))+barMargins, func(c draw.Canvas) {
		c = draw.Crop(c, beside, -max(values+valueGap+4, halfLabel), 0, -4)
		titleBelow(c, b.title)
		c = draw.Crop(c, 0, 0, titleHeight, 0)
		p.X.Tick.Marker = ticks[0]
		ticks.fit(&p.X, p.DataCanvas(c).Size().X, p.X.Tick.Label.Width)
		p.Draw(c)
	})
}

// scale sets the range of the values, and returns its ticks.
func (b *barChart) scale(p *plot.Plot) axisTicks {
	least, most := math.Inf(1), 0.0
	for _, bar := range b.bars {
		if bar.known {
			least, most = min(least, bar.point.lo), max(most, bar.point.hi)
		}
	}
	if b.log {
		p.X.Min, p.X.Max = wide(least/1.3, most)
		p.X.Scale = plot.LogScale{}
		return logTicks(p.X.Min, p.X.Max, tickText)
	}
	p.X.Min, p.X.Max = 0, most
	return linearTicks(most, tickText)
}

// widths returns the widths of the longest name and of the longest value.
func (b *barChart) widths() (names, values vg.Length) {
	for _, bar := range b.bars {
		names = max(names, bar.letters().Width(bar.name))
		values = max(values, bar.letters().Width(bar.text()))
	}
	return names, values
}

// describe returns the values in words.
func (b *barChart) describe() string {
	var all []string
	for _, bar := range b.bars {
		text := bar.name + " " + bar.text()
		if bar.spread {
			text += " (" + bar.point.span() + ")"
		}
		all = append(all, text)
	}
	return b.title + ": " + strings.Join(all, ", ")
}

// table is nil: the table of the load has these values.
func (b *barChart) table() *chartTable { return nil }

// text returns the value.
func (b bar) text() string {
	if !b.known {
		return absent
	}
	return figure(b.point.value)
}

// letters returns the style of the name and the value.
func (b bar) letters() text.Style { return letters(b.style.own) }

// barPlot draws the bars of a chart, with their names beside or above them.
type barPlot struct {
	*barChart
	above bool
}

// Plot implements [plot.Plotter]. It writes names to the left of c or above the bars, and values to
// the right of the bars; draw leaves space for both.
func (b barPlot) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	left := c.Min.X
	for i, bar := range b.bars {
		at := y(float64(len(b.bars) - 1 - i))
		name := bar.letters()
		name.YAlign = draw.YCenter
		if b.above {
			c.FillText(name, vg.Point{X: left + 4, Y: at + barPitch/2 - 2}, bar.name)
			at -= nameAbove / 2
		} else {
			name.XAlign = draw.XRight
			c.FillText(name, vg.Point{X: left - nameGap, Y: at}, bar.name)
		}

		end := left
		if bar.known {
			end = x(bar.point.hi)
			b.drawBar(c, bar, x, at)
		}
		value := bar.letters()
		value.YAlign = draw.YCenter
		c.FillText(value, vg.Point{X: end + valueGap, Y: at}, bar.text())
	}
	c.StrokeLine2(p.X.LineStyle, left, c.Min.Y, left, c.Max.Y)
}

func (b *barChart) drawBar(c draw.Canvas, bar bar, x func(float64) vg.Length, y vg.Length) {
	left, right := c.Min.X, x(bar.point.value)
	whisker := draw.LineStyle{Color: ink, Width: vg.Points(1.2)}
	halo := draw.LineStyle{Color: paper, Width: vg.Points(3.2)}
	if b.log {
		c.StrokeLine2(bar.style.whisker(), left, y, right, y)
		whisker.Color, halo.Width = bar.style.tone, 0
	} else {
		c.FillPolygon(bar.style.tone, []vg.Point{
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
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: bar.style.tone, Shape: draw.CircleGlyph{}, Radius: 4.5}, vg.Point{X: right, Y: y})
	}
}
