package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// chartTable has the values of a chart, for readers who cannot see it, or want the numbers.
type chartTable struct {
	Caption string
	Heads   []string
	Rows    []chartRow
}

type chartRow struct {
	Name  string
	Cells []pageCell
}

// maxShown is how many positions a table of a chart has at most.
const maxShown = 16

// table returns the values at the shown positions.
func (l *lineChart) table() *chartTable {
	t := &chartTable{Caption: l.y + " by " + l.x}
	shown := l.shown
	if len(shown) > maxShown {
		t.Caption += fmt.Sprintf(", the first %d of %d", maxShown, len(shown))
		shown = shown[:maxShown]
	}
	for _, x := range shown {
		t.Heads = append(t.Heads, l.xText(x))
	}
	for _, s := range l.lines {
		row := chartRow{Name: s.name}
		for _, x := range shown {
			cell := pageCell{Value: absent}
			if p, ok := s.at(x); ok {
				cell.Value = l.yText(p.value, figure)
				if p.lo < p.hi {
					cell.Spread = l.yText(p.lo, figure) + "–" + l.yText(p.hi, figure)
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// at returns the point at a position.
func (s *series) at(x float64) (xPoint, bool) {
	i := slices.IndexFunc(s.points, func(p xPoint) bool { return math.Abs(p.x-x) <= x*1e-6 })
	if i < 0 {
		return xPoint{}, false
	}
	return s.points[i], true
}

// describe returns the ends of each line in words.
func (l *lineChart) describe() string {
	var all []string
	for _, s := range l.lines {
		first, last := s.points[0], s.points[len(s.points)-1]
		all = append(all, s.name+" "+l.yText(first.value, figure)+" at "+l.xText(first.x)+
			" to "+l.yText(last.value, figure)+" at "+l.xText(last.x))
	}
	return l.y + ": " + strings.Join(all, ", ")
}
