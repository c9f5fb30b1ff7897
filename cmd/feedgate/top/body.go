package top

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"feedgate/gateway/admin/view"
)

// body is the part below the head: the upstreams and the sinks.
func (p *painting) body() (lines []string) {
	lines = p.upstreams()
	lines = append(lines, "")
	lines = append(lines, p.sinks()...)
	if n := p.view.LogDropped; n > 0 {
		lines = append(lines, p.cut(fmt.Sprintf("%s lines of the log were dropped, because nobody read them", n), 0))
	}
	return lines
}

// fewUpstreams is up to how many upstreams each is shown with all details.
const fewUpstreams = 3

func (p *painting) upstreams() (lines []string) {
	all := p.view.Upstreams
	full := table{head: []string{"UPSTREAM", "WAITS FOR", "IN/s", "ACKED/s", "IN FLIGHT", "OLDEST", "P50", "P99", "ERRORS"}}
	short := full
	for i := range all {
		u := &all[i]
		cells := func(in, acked, inFlight string) []string {
			return []string{u.Label, u.What(), in, acked, inFlight, u.Oldest.String(), u.P50.String(), u.P99.String(), u.ErrorCount().String()}
		}
		full.rows = append(full.rows, cells(u.Incoming.String(), u.Acked.String(),
			fmt.Sprintf("%s of %s", view.Count(u.InFlight.Now), view.Count(u.InFlight.Limit))))
		short.rows = append(short.rows, cells(u.Incoming.Short(), u.Acked.Short(),
			fmt.Sprintf("%s/%s", view.Count(u.InFlight.Now).Short(), view.Count(u.InFlight.Limit).Short())))
	}
	t, fits := full, full.fit(p.width-2)
	if !fits {
		t, fits = short, short.fit(p.width-2)
	}
	if !fits {
		return p.cards(&short)
	}
	lines = append(lines, "  "+p.in(bold, t.line(t.head)))
	for i := range all {
		lines = append(lines, p.sign(all[i].Level)+t.line(t.rows[i]))
		lines = append(lines, p.details(&all[i])...)
	}
	return lines
}

// cards shows the rows of a table that does not fit, one below the other.
func (p *painting) cards(t *table) (lines []string) {
	for i, cells := range t.rows {
		u := &p.view.Upstreams[i]
		lines = append(lines, p.sign(u.Level)+p.in(bold, p.label(cells[0])))
		waits := "waits for " + cells[1]
		if u.Stalled != "" {
			waits = cells[1]
		}
		texts := []string{
			waits,
			fmt.Sprintf("in %s/s, acked %s/s", cells[2], cells[3]),
			fmt.Sprintf("in flight %s, oldest %s", cells[4], cells[5]),
			fmt.Sprintf("p50 %s, p99 %s, errors %s", cells[6], cells[7], cells[8]),
		}
		for _, text := range texts {
			lines = append(lines, "  "+p.cut(text, 2))
		}
		lines = append(lines, p.details(u)...)
	}
	return lines
}

// details are the lines below an upstream. Of many upstreams, those without trouble have none.
func (p *painting) details(u *view.Upstream) (lines []string) {
	few := len(p.view.Upstreams) <= fewUpstreams
	add := func(s style, text string) {
		for _, line := range p.wrap(text, 4) {
			lines = append(lines, "    "+p.in(s, line))
		}
	}
	if len(p.view.Upstreams) > 1 && u.Level != view.Well {
		add(plain, u.Sentence())
	}
	if (few || u.Level != view.Well) && len(u.Rings) > 0 {
		add(plain, p.rings(u))
	}
	var parts []string
	for _, s := range u.Stopped {
		parts = append(parts, fmt.Sprintf("%s %s", view.StoppedBy(s.Why), s.Share))
	}
	if len(parts) > 0 {
		add(plain, "reading stopped: "+strings.Join(parts, ", "))
	}
	if few {
		add(faint, fmt.Sprintf("incoming %s, memory %s of %s, unsent acks %s, handler p50 %s p99 %s", u.Bytes.BytesPerSecond(),
			view.Bytes(u.Memory.Now), view.Bytes(u.Memory.Limit), view.Bytes(u.UnsentAcks),
			u.HandlerP50, u.HandlerP99))
	}
	if texts := eventTexts(u.Errors); len(texts) > 0 {
		add(red, "errors: "+strings.Join(texts, ", "))
	}
	if texts := eventTexts(u.Events); len(texts) > 0 {
		add(plain, strings.Join(texts, ", "))
	}
	return lines
}

func eventTexts(all []view.Event) (texts []string) {
	for _, e := range all {
		text := fmt.Sprintf("%s %s", e.Name, e.Total)
		if e.Recent > 0 {
			text += fmt.Sprintf(" (+%s)", e.Recent)
		}
		texts = append(texts, text)
	}
	return texts
}

// maxRingNumbers is up to how many rings are shown as numbers, too.
const maxRingNumbers = 16

// rings shows the rings to the workers, in, and back from them, out: one bar for each.
func (p *painting) rings(u *view.Upstream) string {
	limit := float64(u.RingLimit)
	text := "rings of " + u.RingLimit.String()
	for _, direction := range []struct {
		name string
		of   func(view.Ring) float64
	}{
		{"in", func(r view.Ring) float64 { return r.In }}, {"out", func(r view.Ring) float64 { return r.Out }},
	} {
		var bars strings.Builder
		var numbers []string
		most := 0.0
		for _, r := range u.Rings {
			n := direction.of(r)
			most = max(most, n)
			bars.WriteRune(bar(n, limit))
			numbers = append(numbers, view.Count(n).String())
		}
		if len(u.Rings) > maxRingNumbers {
			numbers = []string{"at most", view.Count(most).String()}
		}
		text += fmt.Sprintf(", %s %s %s", direction.name, bars.String(), strings.Join(numbers, " "))
	}
	return text
}

// bar returns a character for a share of the limit; 0 differs from all others.
func bar(n, limit float64) rune {
	if !(n > 0 && limit > 0) { // also if one is NaN
		return '·'
	}
	eighths := []rune("▁▂▃▄▅▆▇█")
	return eighths[int(min(n/limit*8, 7))]
}

func (p *painting) sinks() (lines []string) {
	t := table{head: []string{"SINK", "READY", "MSG/s", "P50/BATCH", "P99/BATCH", "MSG/BATCH", "IN PROGRESS", "REFUSED", "RETRIES", "RESTARTS"}}
	for i := range p.view.Sinks {
		s := &p.view.Sinks[i]
		ready := "yes"
		if !s.Ready {
			ready = "NO"
		}
		label := s.Label
		if s.Name != "Sink" {
			label += " (" + strings.ToLower(s.Name) + ")"
		}
		t.rows = append(t.rows, []string{
			label, ready, s.Rate.String(), s.P50.String(), s.P99.String(), s.Batch.String(),
			s.Requests.String(), s.Refused.String(), s.Retries.String(), s.Restarts.String(),
		})
	}
	if t.fit(p.width - 2) {
		lines = append(lines, "  "+p.in(bold, t.line(t.head)))
		for _, row := range t.rows {
			lines = append(lines, "  "+t.line(row))
		}
		return lines
	}
	for _, row := range t.rows {
		lines = append(lines, "  "+p.in(bold, p.cut(row[0], 2)))
		for _, text := range []string{
			fmt.Sprintf("ready %s, %s msg/s, %s in progress", row[1], row[2], row[6]),
			fmt.Sprintf("a batch p50 %s p99 %s, %s msg", row[3], row[4], row[5]),
			fmt.Sprintf("refused %s, retries %s, restarts %s", row[7], row[8], row[9]),
		} {
			for _, line := range p.wrap(text, 2) {
				lines = append(lines, "  "+line)
			}
		}
	}
	return lines
}

// table has columns that are as wide as their cells. The first two are aligned to the left.
type table struct {
	head   []string
	rows   [][]string
	widths []int
}

// minLabel is how much of the first column must be visible.
const minLabel = 16

// fit computes the widths of the columns, of which the first may be cut, and reports whether they fit
// into width; -2 and 0 have no limit.
func (t *table) fit(width int) bool {
	t.widths = make([]int, len(t.head))
	total := 0
	for i := range t.head {
		t.widths[i] = runewidth.StringWidth(t.head[i])
		for _, row := range t.rows {
			t.widths[i] = max(t.widths[i], runewidth.StringWidth(row[i]))
		}
		total += t.widths[i] + 2
	}
	if over := total - 2 - width; width > 0 && over > 0 {
		t.widths[0] -= over
		return t.widths[0] >= minLabel
	}
	return true
}

func (t *table) line(cells []string) string {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		if i == 0 {
			cell = shortenLabel(cell, t.widths[i])
		}
		cell = shorten(cell, t.widths[i])
		if i < 2 {
			cell = runewidth.FillRight(cell, t.widths[i])
		} else {
			cell = runewidth.FillLeft(cell, t.widths[i])
		}
		line.WriteString(cell)
	}
	return strings.TrimRight(line.String(), " ")
}
