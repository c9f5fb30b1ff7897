package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"feedgate/bench"
)

// WriteTable writes a table for each load, with medians and spreads of each subject, and below it
// the order of the subjects and their faults. Lines of tables have at most 120 characters.
func WriteTable(w io.Writer, rows []bench.Row) error {
	return buffered(w, func(b *bufio.Writer) { writeTables(b, rows) })
}

// WriteText writes the environment and the tables of a file. For several files it writes their
// environments and one table that compares them with the first.
func WriteText(w io.Writer, sources []Source) error {
	return buffered(w, func(b *bufio.Writer) {
		for i := range sources {
			writeHead(b, sources, i)
		}
		if len(sources) == 1 {
			writeTables(b, sources[0].File.Rows)
		} else {
			writeComparison(b, compare(sources))
		}
	})
}

// buffered calls write with a buffered w, and returns the first error of w.
func buffered(w io.Writer, write func(*bufio.Writer)) error {
	b := bufio.NewWriter(w)
	write(b)
	return b.Flush()
}

// writeHead writes the name and the environment of source i.
func writeHead(b *bufio.Writer, sources []Source, i int) {
	title := clean(sources[i].Name)
	if len(sources) > 1 {
		title = fileLabel(i) + ": " + title
	}
	fmt.Fprintln(b, title)
	meta := &sources[i].File.Meta
	for _, f := range facts(meta) {
		fmt.Fprintf(b, "  %-8s %s\n", f.Name, f.Text)
	}
	for _, note := range notes(meta) {
		fmt.Fprintf(b, "  %-8s %s\n", "note", note)
	}
	fmt.Fprintln(b)
}

func writeTables(b *bufio.Writer, rows []bench.Row) {
	used := make(map[string]bool)
	for i, g := range grouped(pointers(rows), loadOf) {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "%s; %s\n\n", g.key, spreads(g.rows, ""))
		writeGrid(b, g.rows)
		order := rank(g.key, g.rows)
		if text := order.String(); text != "" {
			fmt.Fprintf(b, "\n%s\n", text)
			for _, sign := range order.signs {
				used[sign] = true
			}
		}
		writeComplaints(b, g.rows)
	}
	key := signKey(func(sign string) bool { return used[sign] })
	if key != "" {
		fmt.Fprintf(b, "\n%s\n", key)
	}
	if slices.ContainsFunc(rows, func(r bench.Row) bool { return r.OfLimit != nil }) {
		if key == "" {
			fmt.Fprintln(b)
		}
		fmt.Fprintln(b, "Of limit: the median of the ratios to limit's msg/s in the same round.")
	}
}

// writeGrid writes the table of one load.
func writeGrid(b *bufio.Writer, rows []*bench.Row) {
	g := grid{keys: 1}
	cells := make([]string, len(rows))
	for i, r := range rows {
		cells[i] = name(r)
	}
	g.add("subject", 0, cells)
	for _, c := range columns(rows) {
		values, spreads := make([]string, len(rows)), make([]string, len(rows))
		for i, r := range rows {
			values[i], spreads[i] = c.text(r)
			if !c.spread {
				spreads[i] = ""
			}
		}
		g.add(c.head(), c.block, beside(values, spreads))
	}
	g.write(b)
}

// writeComplaints writes the faults of marked rows.
func writeComplaints(b *bufio.Writer, rows []*bench.Row) {
	for _, r := range rows {
		if !r.Sound() {
			fmt.Fprintln(b, complaint("", r))
		}
	}
}

// writeComparison writes the comparison of several files, with a table per load.
func writeComparison(b *bufio.Writer, c *comparison) {
	if c.Warning != "" {
		fmt.Fprintf(b, "%s\n\n", c.Warning)
	}
	for i := range c.Loads {
		l := &c.Loads[i]
		fmt.Fprintf(b, "%s\n\n", l.Title)
		writeCompared(b, c.Labels, l.Lines)
		for _, text := range l.Complaints {
			fmt.Fprintln(b, text)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b, c.Key())
}

// writeCompared writes the lines of one load: a column per file and, from the second file on, one
// for the change.
func writeCompared(b *bufio.Writer, labels []string, lines []comparedLine) {
	g := grid{keys: 2}
	column := func(cell func(comparedLine) string) []string {
		cells := make([]string, len(lines))
		for i, line := range lines {
			cells[i] = cell(line)
		}
		return cells
	}
	g.add("subject", 0, column(func(l comparedLine) string { return l.Subject }))
	g.add("figure", 0, column(func(l comparedLine) string { return l.Figure }))
	for i, label := range labels {
		g.add(label, i, beside(
			column(func(l comparedLine) string { return l.Cells[i].Value }),
			column(func(l comparedLine) string { return l.Cells[i].Spread })))
		if i > 0 {
			g.add("change", i, beside(
				column(func(l comparedLine) string { return l.Cells[i].Change }),
				column(func(l comparedLine) string {
					return strings.TrimSuffix(l.Cells[i].Mark+" "+l.Cells[i].Trend, " ")
				})))
		}
	}
	g.write(b)
}
