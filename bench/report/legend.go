package report

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is an entry of a legend.
type entry struct {
	name  string
	style style
}

const (
	legendRow  = vg.Length(18)
	legendIcon = vg.Length(22)
)

// legend has the names of subjects with their marks, in as many rows as necessary.
type legend []entry

// lay calls put with the position of each entry, by row from the top, and returns the total height.
func (l legend) lay(width vg.Length, put func(e entry, name text.Style, x vg.Length, row int)) vg.Length {
	x, row := vg.Length(0), 0
	for _, e := range l {
		name := letters(e.style.own)
		name.YAlign = draw.YCenter
		wide := legendIcon + 4 + name.Width(e.name) + 14
		if x > 0 && x+wide > width {
			x, row = 0, row+1
		}
		put(e, name, x, row)
		x += wide
	}
	return vg.Length(row+1)*legendRow + 6
}

func (l legend) height(width vg.Length) vg.Length {
	return l.lay(width, func(entry, text.Style, vg.Length, int) {})
}

// draw draws along the upper edge.
func (l legend) draw(c draw.Canvas) {
	l.lay(c.Size().X, func(e entry, name text.Style, x vg.Length, row int) {
		x += c.Min.X
		y := c.Max.Y - legendRow*(vg.Length(row)+0.5)
		c.StrokeLine2(e.style.line(), x, y, x+legendIcon, y)
		c.DrawGlyphNoClip(e.style.glyph(), vg.Point{X: x + legendIcon/2, Y: y})
		c.FillText(name, vg.Point{X: x + legendIcon + 4, Y: y}, e.name)
	})
}
