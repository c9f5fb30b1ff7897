package report

import (
	"fmt"
	"slices"
	"strings"

	"feedgate/bench"
)

// comparison compares files with the first one. It has the final texts. Fields are exported for the
// page's template.
type comparison struct {
	Warning string   // when the surroundings differ
	Labels  []string // of the files
	Loads   []comparedLoad
	marks   map[string]bool // that were used
}

// comparedLoad is a load of any of the files.
type comparedLoad struct {
	Title      string
	Lines      []comparedLine
	Complaints []string
}

// comparedLine is one figure of one subject.
type comparedLine struct {
	Subject string // empty but for the first line of a subject
	Span    int    // of the first line: how many the subject has
	Own     bool
	Figure  string
	Cells   []comparedCell // one a file
}

// comparedCell is a figure of one file. Change, Mark and Trend are empty for the first file.
type comparedCell struct {
	Value, Spread string
	Change        string // in per cent
	Mark          string
	Trend         string // better or worse, when it is more than the spread
}

// Marks of a change.
const (
	markBeyond   = "*"
	markWithin   = "~"
	markUnjudged = "?"
)

const (
	trendBetter = "better"
	trendWorse  = "worse"
)

// fileLabel returns the name of file i in a comparison.
func fileLabel(i int) string { return fmt.Sprintf("#%d", i+1) }

// identity is the key of rows that are compared.
type identity struct {
	load
	subject string
	nth     int // a file that has several rows of a subject and load: which of them
}

// compare compares the rows of all files, in order of their first occurrence.
func compare(sources []Source) *comparison {
	c := &comparison{marks: make(map[string]bool)}
	if names := differences(sources); len(names) > 0 {
		c.Warning = "The files differ in " + strings.Join(names, ", ") + ": a change may come from there."
	}
	rowsOf := make(map[identity][]*bench.Row) // by file; nil: not in it
	loadAt := make(map[load]int)
	var members [][]identity // of each load
	for i, s := range sources {
		c.Labels = append(c.Labels, fileLabel(i))
		seen := make(map[identity]int)
		for _, r := range pointers(s.File.Rows) {
			id := identity{load: loadOf(r), subject: r.Subject}
			seen[id]++
			id.nth = seen[id]
			at, known := loadAt[id.load]
			if !known {
				at = len(c.Loads)
				loadAt[id.load] = at
				c.Loads = append(c.Loads, comparedLoad{Title: id.load.String()})
				members = append(members, nil)
			}
			if rowsOf[id] == nil {
				rowsOf[id] = make([]*bench.Row, len(sources))
				members[at] = append(members[at], id)
			}
			rowsOf[id][i] = r
		}
	}
	for at := range c.Loads {
		var all []*bench.Row
		for _, id := range members[at] {
			all = append(all, rowsOf[id]...)
		}
		for _, id := range members[at] {
			c.put(&c.Loads[at], id, rowsOf[id], all)
		}
	}
	return c
}

// put adds the lines of one subject, in the units of all rows of its load.
func (c *comparison) put(l *comparedLoad, id identity, rows, all []*bench.Row) {
	for i, r := range rows {
		if r != nil && !r.Sound() {
			l.Complaints = append(l.Complaints, complaint(c.Labels[i], r))
		}
	}
	first := len(l.Lines)
	for i, m := range compared {
		absentEverywhere := !slices.ContainsFunc(rows, func(r *bench.Row) bool { return m.of(r) != nil })
		if i > 0 && absentEverywhere { // the first is kept, so that every row is seen
			continue
		}
		column := m.column(all)
		line := comparedLine{Own: id.subject == own, Figure: column.head()}
		for i, r := range rows {
			cell := compareCell(column, r)
			if i > 0 {
				cell.Change, cell.Mark, cell.Trend = m.change(rows[0], r)
				c.marks[cell.Mark] = true
			}
			line.Cells = append(line.Cells, cell)
		}
		l.Lines = append(l.Lines, line)
	}
	l.Lines[first].Subject, l.Lines[first].Span = label(id.subject), len(l.Lines)-first
}

// compareCell returns the figure of a row, which may be nil.
func compareCell(c column, r *bench.Row) comparedCell {
	if r == nil {
		return comparedCell{Value: absent}
	}
	value, spread := c.text(r)
	if value != absent && !r.Sound() {
		value += "!"
	}
	return comparedCell{Value: value, Spread: spread}
}

// change compares the figure of b with that of a. Either may be nil.
func (m metric) change(a, b *bench.Row) (change, mark, trend string) {
	from, to := m.of(a), m.of(b)
	switch {
	case from == nil || to == nil:
		return absent, "", ""
	case *from != 0:
		change = percent(*from, *to)
	case *to != 0:
		change = "from 0"
	default:
		change = "+0.0%"
	}
	switch m.judge(a, b) {
	case within:
		return change, markWithin, ""
	case unjudged:
		return change, markUnjudged, ""
	}
	switch up := *to > *from; {
	case *to == *from:
	case up == (m.better > 0):
		trend = trendBetter
	default:
		trend = trendWorse
	}
	return change, markBeyond, trend
}

// Columns returns the number of columns of a table of all files.
func (c *comparison) Columns() int { return 1 + 2*len(c.Labels) }

// Key explains the marks that were used.
func (c *comparison) Key() string {
	p := parts{"Changes are against " + fileLabel(0)}
	p.add(c.marks[markBeyond], "%s: the spreads do not overlap", markBeyond)
	p.add(c.marks[markWithin], "%s: the spreads overlap", markWithin)
	p.add(c.marks[markUnjudged], "%s: fewer than 2 rounds, no spread to judge by", markUnjudged)
	return strings.Join(p, "; ") + "."
}
