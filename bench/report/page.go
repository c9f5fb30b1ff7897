package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"feedgate/bench"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string

	pageTemplate = template.Must(template.New("").Parse(pageText))
)

// page is the data of the template.
type page struct {
	Title      string
	Style      template.CSS
	StyleHash  string // for the policy, which allows no other style
	Subjects   []term
	Figures    []term
	Several    bool // loads in one file
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
	ChartsID    string
	SignKey     string
}

// pageLoad is the table of one load, with its charts and notes.
type pageLoad struct {
	ID, Title  string
	Caption    string // of the table
	Heads      []string
	Rows       []pageRow
	Order      string
	Complaints []string
	Charts     []chart
}

type pageRow struct {
	Name  string
	Own   bool
	Cells []pageCell
}

type pageCell struct{ Value, Spread string }

// WriteHTML writes a self-contained page: the environment, tables and charts of each source. With
// several sources, a table that compares them with the first one comes first.
func WriteHTML(w io.Writer, sources []Source) error {
	s := newStudio()
	style := stylesheet(func(tone) bool { return true }) + letterStyle + pageStyle
	hash := sha256.Sum256([]byte(style))
	p := page{
		Title: "feedgate bench: " + clip(clean(sources[0].Name), 80),
		Style: template.CSS(style), StyleHash: base64.StdEncoding.EncodeToString(hash[:]),
		Subjects: explained(sources), Figures: figuresOf(sources),
	}
	if len(sources) > 1 {
		p.Comparison = compare(sources)
		p.Title += " and others"
	}
	for i := range sources {
		file := s.file(&sources[i], fmt.Sprintf("file%d", i+1))
		file.Label = fileLabel(i)
		p.Files = append(p.Files, file)
	}
	p.Omitted = s.omitted
	return pageTemplate.ExecuteTemplate(w, "page", p)
}

// file makes the section of one file. Identifiers in it begin with id.
func (s *studio) file(source *Source, id string) pageFile {
	meta := &source.File.Meta
	f := pageFile{ChartsID: id + "-charts", Name: clean(source.Name), Facts: facts(meta), Notes: notes(meta)}
	rows := pointers(source.File.Rows)
	groups := grouped(rows, loadOf)
	withLatency := make(map[load]bool)
	for _, g := range offered(groups) {
		withLatency[g.key] = true
	}
	used := make(map[string]bool)
	for i, g := range groups {
		order := rank(g.key, g.rows)
		for _, sign := range order.signs {
			used[sign] = true
		}
		l := newPageLoad(g, order)
		l.ID = fmt.Sprintf("%s-load%d", id, i+1)
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
	l.Caption = "One round, so no spread"
	if slices.ContainsFunc(g.rows, func(r *bench.Row) bool { return r.Rounds > 1 }) {
		l.Caption = "Medians of " + rounds(g.rows) + "; below each, its spread"
	}
	all := columns(g.rows)
	for _, c := range all {
		head := c.head()
		if utf8.RuneCountInString(head) < 10 { // a longer one may be broken
			head = strings.ReplaceAll(head, " ", "\u00a0")
		}
		l.Heads = append(l.Heads, head)
	}
	for _, r := range g.rows {
		row := pageRow{Name: name(r), Own: r.Subject == own}
		for _, c := range all {
			var cell pageCell
			cell.Value, cell.Spread = c.text(r)
			row.Cells = append(row.Cells, cell)
		}
		l.Rows = append(l.Rows, row)
		if !r.Sound() {
			l.Complaints = append(l.Complaints, complaint("", r))
		}
	}
	return l
}
