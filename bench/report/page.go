package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("").Parse(pageText))

// page is the data of the template.
type page struct {
	Title      string
	Files      []pageFile
	Comparison *comparison // nil for one file
	Omitted    int         // charts
}

// pageFile is the section of one file.
type pageFile struct {
	Label, Name string
	Facts       []fact
	Notes       []string
	Loads       []pageLoad
	Charts      []chart // over several loads
	SignKey     string
}

// pageLoad is the table of one load, with its charts and notes.
type pageLoad struct {
	Title      string
	Heads      []string
	Rows       []pageRow
	Order      string
	Complaints []string
	Charts     []chart
}

type pageRow struct {
	Name  string
	Own   bool
	Sound bool
	Cells []pageCell
}

type pageCell struct{ Value, Spread string }

// WriteHTML writes a self-contained page: the environment, tables and charts of each source. With
// several sources, a table that compares them with the first one comes first.
func WriteHTML(w io.Writer, sources []Source) error {
	s := newStudio()
	p := page{Title: "feedgate bench: " + clip(clean(sources[0].Name), 80)}
	if len(sources) > 1 {
		p.Comparison = compare(sources)
		p.Title += " and others"
	}
	for i := range sources {
		file := s.file(&sources[i])
		file.Label = label(i)
		p.Files = append(p.Files, file)
	}
	if s.err != nil {
		return s.err
	}
	p.Omitted = s.omitted
	return pageTemplate.ExecuteTemplate(w, "page", p)
}

// file makes the section of one file.
func (s *studio) file(source *Source) pageFile {
	meta := &source.File.Meta
	f := pageFile{Name: clean(source.Name), Facts: facts(meta), Notes: notes(meta)}
	rows := pointers(source.File.Rows)
	groups := grouped(rows, loadOf)
	withLatency := make(map[load]bool)
	for _, g := range offered(groups) {
		withLatency[g.key] = true
	}
	used := make(map[string]bool)
	for _, g := range groups {
		order := rank(g.key, g.rows)
		for _, sign := range order.signs {
			used[sign] = true
		}
		l := newPageLoad(g, order)
		l.Charts = s.ofLoad(g)
		if withLatency[g.key] {
			l.Charts = append(l.Charts, s.latency(g)...)
		}
		f.Loads = append(f.Loads, l)
	}
	for _, a := range axes {
		f.Charts = append(f.Charts, s.along(a, rows)...)
	}
	f.SignKey = signKey(func(sign string) bool { return used[sign] })
	return f
}

// newPageLoad makes the table of one load.
func newPageLoad(g group[load], order ranking) pageLoad {
	l := pageLoad{Title: g.key.String() + "; " + rounds(g.rows), Order: order.String()}
	columns := present(g.rows)
	for _, m := range columns {
		head := m.head
		if len(head) < 10 { // a longer one may be broken
			head = strings.ReplaceAll(head, " ", "\u00a0")
		}
		l.Heads = append(l.Heads, head)
	}
	for _, r := range g.rows {
		row := pageRow{Name: name(r), Own: r.Subject == own, Sound: r.Sound()}
		for _, m := range columns {
			var cell pageCell
			cell.Value, cell.Spread = m.text(r)
			row.Cells = append(row.Cells, cell)
		}
		l.Rows = append(l.Rows, row)
		if !r.Sound() {
			l.Complaints = append(l.Complaints, complaint("", r))
		}
	}
	return l
}
