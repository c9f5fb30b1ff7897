package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"feedgate/bench"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bounds of a chart of lines.
const (
	maxLines  = 16
	maxPoints = 200 // of a line
	maxMarks  = 16  // of a line; points beyond are not marked
)

// series is one subject's line.
type series struct {
	name   string
	style  style
	points []xPoint // ascending
}

// xPoint is a point with its position on the horizontal axis.
type xPoint struct {
	x float64
	point
}

// lineChart has lines with their spreads: an area around each or, if all lines have the same few
// positions, whiskers, slightly apart.
type lineChart struct {
	lines      []series
	x, y       string // titles
	logX, logY bool
	area       bool
	height     vg.Length
	xText      func(float64) string // formats a position
	yText      func(v float64, format func(float64) string) string
	// xTicks makes the ticks of the horizontal axis; right is the end of its range.
	xTicks func(right float64) axisTicks
	shown  []float64 // positions in the table
}

// thin reduces a line to maxPoints, including the first and the last one.
func thin(points []xPoint) []xPoint {
	if len(points) <= maxPoints {
		return points
	}
	kept := make([]xPoint, maxPoints)
	for i := range kept {
		kept[i] = points[i*(len(points)-1)/(maxPoints-1)]
	}
	return kept
}

// take adds a line per subject. part is for the caption if there are too many subjects.
func (l *lineChart) take(rows []*bench.Row, colours palette, points func(*bench.Row) []xPoint) (part string) {
	subjects := 0
	for _, g := range grouped(rows, func(r *bench.Row) string { return r.Subject }) {
		s := series{name: name(g.rows[0]), style: colours.of(g.key)}
		for _, r := range g.rows {
			if !r.Sound() {
				s.name = name(r) // the line is marked for any of them
			}
			s.points = append(s.points, points(r)...)
		}
		if len(s.points) == 0 {
			continue
		}
		if subjects++; subjects > maxLines {
			continue
		}
		slices.SortStableFunc(s.points, func(a, b xPoint) int { return cmp.Compare(a.x, b.x) })
		s.points = thin(s.points)
		l.lines = append(l.lines, s)
	}
	if subjects > maxLines {
		return fmt.Sprintf(", the first %d of %d subjects", maxLines, subjects)
	}
	return ""
}

// bounds returns the ranges of everything drawn.
func (l *lineChart) bounds() (left, right, least, most float64) {
	left, right = math.Inf(1), math.Inf(-1)
	least, most = math.Inf(1), 0
	for _, s := range l.lines {
		for _, at := range s.points {
			left, right = min(left, at.x), max(right, at.x)
			least, most = min(least, at.lo), max(most, at.hi)
		}
	}
	return left, right, least, most
}

// places returns the distinct positions on the horizontal axis, ascending.
func (l *lineChart) places() []float64 {
	var all []float64
	for _, s := range l.lines {
		for _, at := range s.points {
			all = append(all, at.x)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// draw draws the chart, below its legend.
func (l *lineChart) draw() *svgCanvas {
	p := newPlot()
	x, y := l.scale(p)
	p.Add(gridLines(true, true))

	var names legend
	for _, s := range l.lines {
		names = append(names, entry{s.name, s.style})
	}
	// Later lines are on top.
	onTop := *l
	onTop.lines = slices.Clone(l.lines)
	slices.SortStableFunc(onTop.lines, func(a, b series) int {
		switch {
		case a.style.own == b.style.own:
			return 0
		case a.style.own:
			return 1
		}
		return -1
	})
	p.Add(&onTop)
	above := names.height(chartWidth)
	return render(l.height+above, func(c draw.Canvas) {
		names.draw(c)
		c = draw.Crop(c, 2, -lastLabel, 0, -above)
		c.FillText(letters(false), vg.Point{X: c.Min.X, Y: c.Max.Y - titleHeight + 8}, l.y)
		titleBelow(c, l.x)
		c = draw.Crop(c, 0, 0, titleHeight, -titleHeight-2)
		p.X.Tick.Marker, p.Y.Tick.Marker = x[0], y[0]
		size := p.DataCanvas(c).Size()
		x.fit(&p.X, size.X, p.X.Tick.Label.Width)
		y.fit(&p.Y, size.Y, func(string) vg.Length { return textSize })
		p.Draw(c)
	})
}

// lastLabel is the space beyond the last label below the axis, for which the library leaves space.
const lastLabel = vg.Length(4)

// scale sets the ranges of the axes to include everything, and returns their ticks.
func (l *lineChart) scale(p *plot.Plot) (x, y axisTicks) {
	text := func(v float64) string { return l.yText(v, tickText) }
	left, right, least, most := l.bounds()
	p.X.Min, p.X.Max = left, right
	if l.logX {
		p.X.Scale = plot.LogScale{}
	}
	p.Y.Min, p.Y.Max = 0, most
	y = linearTicks(most, text)
	if l.logY {
		p.Y.Min, p.Y.Max = wide(least, most)
		p.Y.Scale = plot.LogScale{}
		y = logTicks(p.Y.Min, p.Y.Max, text)
	}
	if !l.area {
		widen(&p.X)
	}
	return l.xTicks(right), y
}

// widen extends an axis for whiskers that are beside their position.
func widen(a *plot.Axis) {
	const margin = 0.04
	if _, log := a.Scale.(plot.LogScale); log {
		more := math.Pow(a.Max/a.Min, margin)
		a.Min, a.Max = a.Min/more, a.Max*more
		return
	}
	more := (a.Max - a.Min) * margin
	a.Min, a.Max = a.Min-more, a.Max+more
}

// sideways is the distance of two subjects' whiskers at one position.
const sideways = vg.Length(2)

// Plot implements [plot.Plotter].
func (l *lineChart) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for i, s := range l.lines {
		shift := (vg.Length(i) - vg.Length(len(l.lines)-1)/2) * sideways
		if l.area {
			shift = 0
		}
		n := len(s.points)
		middle, outline := make([]vg.Point, n), make([]vg.Point, 2*n)
		for j, at := range s.points {
			x := toX(at.x) + shift
			middle[j] = vg.Point{X: x, Y: toY(at.value)}
			outline[j] = vg.Point{X: x, Y: toY(at.hi)}
			outline[2*n-1-j] = vg.Point{X: x, Y: toY(at.lo)}
		}
		if l.area && n > 1 {
			c.FillPolygon(s.style.band(), outline)
		} else {
			whiskers(c, s.style, outline)
		}
		c.StrokeLines(s.style.line(), middle)
		for j := 0; j < n; j += 1 + n/maxMarks {
			c.DrawGlyphNoClip(s.style.glyph(), middle[j])
		}
	}
}

// whiskers draws lines from the first of the outline to its last, from the second
// to the last but one, and so on.
func whiskers(c draw.Canvas, s style, outline []vg.Point) {
	for i := range len(outline) / 2 {
		hi, lo := outline[i], outline[len(outline)-1-i]
		if lo.Y == hi.Y {
			continue
		}
		c.StrokeLine2(s.whisker(), lo.X, lo.Y, hi.X, hi.Y)
		for _, end := range []vg.Point{lo, hi} {
			c.StrokeLine2(s.whisker(), end.X-2.5, end.Y, end.X+2.5, end.Y)
		}
	}
}
