package report

import (
	"bufio"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxWidth is the maximum width of a table, in characters. A wider one is split into blocks.
const maxWidth = 120

// grid is a text table. Its first columns, the keys, are left-aligned and in every block; the
// others are right-aligned.
type grid struct {
	keys    int
	columns []gridColumn
}

type gridColumn struct {
	head  string
	block int // columns of one block are kept together when the grid is cut
	cells []string
	width int
}

// add adds a column.
func (g *grid) add(head string, block int, cells []string) {
	width := max(utf8.RuneCountInString(head), widest(cells))
	g.columns = append(g.columns, gridColumn{head, block, cells, width})
}

func widest(texts []string) (width int) {
	for _, text := range texts {
		width = max(width, utf8.RuneCountInString(text))
	}
	return width
}

// gap separates two columns.
const gap = 2

// blocks returns the columns of each block. A given block that is too wide is split further.
func (g *grid) blocks() [][]gridColumn {
	keys := g.columns[:g.keys]
	width := func(columns []gridColumn) int {
		sum := -gap
		for _, c := range columns {
			sum += c.width + gap
		}
		return sum
	}
	all := [][]gridColumn{slices.Clone(keys)}
	place := func(columns []gridColumn) {
		last := &all[len(all)-1]
		if width(*last)+gap+width(columns) > maxWidth && len(*last) > g.keys {
			all = append(all, slices.Clone(keys))
			last = &all[len(all)-1]
		}
		*last = append(*last, columns...)
	}
	for rest := g.columns[g.keys:]; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].block == rest[0].block {
			n++
		}
		if width(keys)+gap+width(rest[:n]) <= maxWidth {
			place(rest[:n])
		} else {
			for i := range n {
				place(rest[i : i+1])
			}
		}
		rest = rest[n:]
	}
	return all
}

// write writes the blocks with an empty line between them.
func (g *grid) write(w *bufio.Writer) {
	for i, columns := range g.blocks() {
		if i > 0 {
			w.WriteByte('\n')
		}
		g.line(w, columns, func(c *gridColumn) string { return c.head })
		for row := range columns[0].cells {
			g.line(w, columns, func(c *gridColumn) string { return c.cells[row] })
		}
	}
}

func (g *grid) line(w *bufio.Writer, columns []gridColumn, cell func(*gridColumn) string) {
	var b strings.Builder
	for i := range columns {
		text := cell(&columns[i])
		padding := strings.Repeat(" ", columns[i].width-utf8.RuneCountInString(text))
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		if i < g.keys {
			text, padding = padding, text
		}
		b.WriteString(padding + text)
	}
	w.WriteString(strings.TrimRight(b.String(), " "))
	w.WriteByte('\n')
}

// beside joins each left text with the right one; left ones are right-aligned, right ones
// left-aligned. All results have the same width. Without any right text they are the left ones.
func beside(left, right []string) []string {
	l, r := widest(left), widest(right)
	all := slices.Clone(left)
	for i := range all {
		all[i] = strings.Repeat(" ", l-utf8.RuneCountInString(left[i])) + left[i]
		if r > 0 {
			all[i] += " " + right[i] + strings.Repeat(" ", r-utf8.RuneCountInString(right[i]))
		}
	}
	return all
}
