package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"feedgate/gateway/admin/view"
)

// painting is a view as lines of text. Widths are counted in characters, of which the texts of a view
// have no control characters.
type painting struct {
	view   *view.View
	width  int // columns; 0: as many as the lines have
	colour bool
	old    bool // the view is not that of now
}

func newPainting(v *view.View, width int, colour bool) *painting {
	sorted := *v
	sorted.Upstreams = slices.Clone(v.Upstreams)
	slices.SortStableFunc(sorted.Upstreams, func(a, b view.Upstream) int { return faultFirst(&a) - faultFirst(&b) })
	return &painting{view: &sorted, width: width, colour: colour}
}

// style is an SGR sequence.
type style string

const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	green  style = "32"
	yellow style = "33"
	red    style = "31"
	alarm  style = "1;7" // reversed, also without colours
)

var levels = map[view.Level]struct {
	sign   string
	colour style
}{view.Well: {"●", green}, view.Busy: {"▲", yellow}, view.Fault: {"■", red}}

// faultFirst returns the rank of an upstream. Those with a fault come first; the others keep their order,
// because they change too often.
func faultFirst(u *view.Upstream) int {
	if u.Level == view.Fault {
		return 0
	}
	return 1
}

// in returns text in a style. A painting of unlimited width is for a file, and has none.
func (p *painting) in(s style, text string) string {
	switch {
	case p.width == 0 || s == plain || text == "":
		return text
	case p.old && s != alarm:
		s = faint
	case !p.colour && (s == green || s == yellow || s == red):
		s = bold
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// cut shortens text to the width, less the columns that are taken.
func (p *painting) cut(text string, taken int) string {
	if p.width == 0 {
		return text
	}
	return shorten(text, max(p.width-taken, 1))
}

// shorten cuts text to width columns.
func shorten(text string, width int) string { return runewidth.Truncate(text, width, "…") }

// label shortens a label that has a line of its own, after a sign.
func (p *painting) label(text string) string {
	if p.width == 0 {
		return text
	}
	return shortenLabel(text, max(p.width-2, 1))
}

// minEnd is how much of its end a shortened label keeps, in columns: upstreams of one server differ there.
const minEnd = 8

// shortenLabel cuts a label to width columns, in its middle if there is space.
func shortenLabel(label string, width int) string {
	all := runewidth.StringWidth(label)
	if all <= width || width < 3*minEnd {
		return shorten(label, width)
	}
	end := runewidth.TruncateLeft(label, all-minEnd, "")
	return runewidth.Truncate(label, width-runewidth.StringWidth(end), "…") + end
}

// wrap breaks text into lines of the width, less indent, at spaces where it can.
func (p *painting) wrap(text string, indent int) (lines []string) {
	width := p.width - indent
	if p.width == 0 || runewidth.StringWidth(text) <= width {
		return []string{text}
	}
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for width > 1 && runewidth.StringWidth(line) > width {
			begin := runewidth.Truncate(line, width, "")
			lines, line = append(lines, begin), line[len(begin):]
		}
	}
	return append(lines, line)
}

// stale is the first line while the gateway does not answer.
func (p *painting) stale(fault error, age time.Duration) (lines []string) {
	text := fmt.Sprintf(" NO ANSWER for %v, what follows is old: %v ", age.Round(time.Second), fault)
	for _, line := range p.wrap(text, 0) {
		lines = append(lines, p.in(alarm, line))
	}
	return lines
}

// head is the part that is always shown: whether all is well, and what the process waits for.
func (p *painting) head(addr string) (lines []string) {
	v := p.view
	state, colour := "READY", green
	if !v.Ready() {
		state, colour = "NOT READY", red
	}
	name := "feedgate"
	if v.Version != "" && (p.width == 0 || p.width >= 72) {
		name += " " + shorten(v.Version, 24)
	}
	taken := runewidth.StringWidth(name) + 2 + len(state)
	tail := "  " + addr
	if clock := v.At.Format("  " + time.TimeOnly); p.width == 0 || taken+len(tail)+len(clock) <= p.width {
		tail += clock
	}
	lines = append(lines, p.in(bold, name)+"  "+p.in(colour, state)+p.in(faint, p.cut(tail, taken)))
	for i, line := range p.wrap(v.Short(), 2) {
		sign := "  "
		if i == 0 {
			sign = p.sign(v.Level())
		}
		lines = append(lines, sign+p.in(bold, line))
	}
	texts := v.Reasons()
	if len(v.Upstreams) > 1 {
		texts = append([]string{fmt.Sprintf("in %s/s, %s, acked %s/s, in flight %s of %s, oldest %s, p50 %s, p99 %s",
			v.Incoming, v.Bytes.BytesPerSecond(), v.Acked, view.Count(v.InFlight.Now), view.Count(v.InFlight.Limit), v.Oldest, v.P50, v.P99)}, texts...)
	}
	if detail := v.Detail(); detail != "" {
		texts = append([]string{detail}, texts...)
	}
	for _, text := range texts {
		for _, line := range p.wrap(text, 2) {
			lines = append(lines, "  "+p.in(plain, line))
		}
	}
	return append(lines, "")
}

// sign shows a level, in two columns.
func (p *painting) sign(of view.Level) string {
	l := levels[of]
	return p.in(l.colour, l.sign) + " "
}

// foot is the last line. Of the lines below the head, those from first to last are shown.
func (p *painting) foot(first, last, of int) string {
	text := "q quits"
	if last-first < of {
		text += fmt.Sprintf("  ↑↓ scrolls, lines %d to %d of %d", first+1, last, of)
	}
	if p.view.Over > 0 {
		text += fmt.Sprintf("  rates of the last %s", p.view.Over)
	}
	return p.in(faint, p.cut(text, 0))
}
