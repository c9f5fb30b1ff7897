package report

import (
	"strings"

	"feedgate/bench"
)

// term is a name and its explanation.
type term struct{ Name, Text, Question string }

// explained returns what the subjects of the sources are, and which questions they answer, in order
// of their first occurrence.
func explained(sources []Source) (all []term) {
	seen := make(map[string]bool)
	for _, s := range sources {
		for i := range s.File.Rows {
			name := s.File.Rows[i].Subject
			if seen[name] || len(all) == maxTerms {
				continue
			}
			seen[name] = true
			all = append(all, explain(name))
		}
	}
	return all
}

// maxTerms is how many subjects are explained at most.
const maxTerms = 100

// explain explains one subject.
func explain(subject string) term {
	t := term{Name: label(subject)}
	name, path, other := strings.Cut(subject, "@")
	switch s := bench.Find(name); {
	case s == nil:
		t.Text = "not a subject of this version of feedgate bench"
	case other:
		t.Text = clean(name) + " of another build, " + clean(path)
		t.Question = "which build is faster?"
	default:
		t.Text, t.Question = s.Doc, s.Question
	}
	return t
}

// figuresOf explains the columns of the sources' tables.
func figuresOf(sources []Source) (all []term) {
	var rows []*bench.Row
	for _, s := range sources {
		rows = append(rows, pointers(s.File.Rows)...)
	}
	for _, c := range columns(rows) {
		name := strings.TrimSpace(strings.ReplaceAll(strings.Replace(c.metric.head, "%s", "", 1), " /", "/"))
		if name == "" {
			name = c.axis
		}
		all = append(all, term{Name: name, Text: c.means})
	}
	return all
}
