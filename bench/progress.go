package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// NewProgress returns an observer that writes the progress to w: a bar that it overwrites, if w is
// a terminal, or else a line per run that has ended. end erases the bar.
func NewProgress(w io.Writer) (observe func(Progress), end func()) {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		bar := func(p Progress) {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil {
				width = 80
			}
			fmt.Fprint(w, "\r"+barLine(&p, width)+"\x1b[K")
		}
		return bar, func() { fmt.Fprint(w, "\r\x1b[K") }
	}
	lines := func(p Progress) {
		if p.Ended {
			fmt.Fprintln(w, plainLine(&p))
		}
	}
	return lines, func() {}
}

func plainLine(p *Progress) string {
	return fmt.Sprintf("%*d/%d  %-8s  %-*s  %6d bytes %2d workers  %s  %s left",
		len(fmt.Sprint(p.Total)), p.Done, p.Total, roundName(p), nameWidth, p.Subject, p.Size, p.Workers, result(p), rough(p.Left))
}

func barLine(p *Progress, width int) string {
	text := fmt.Sprintf(" %d/%d  %s  %s  %d B  %d workers  %s  %s left",
		p.Done, p.Total, roundName(p), p.Subject, p.Size, p.Workers, result(p), rough(p.Left))
	const longest, shortest = 30, 5
	cells := min(longest, width-len(text)-3)
	if cells >= shortest {
		full := cells * p.Done / max(p.Total, 1)
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]" + text
	}
	return text[:min(len(text), max(width-1, 0))] // a wrapped line could not be overwritten
}

// nameWidth is the length of the longest subject name.
const nameWidth = 16

func roundName(p *Progress) string {
	if p.Round == 0 {
		return "warm-up"
	}
	return fmt.Sprintf("round %d", p.Round)
}

func result(p *Progress) string {
	switch {
	case p.Fault != "":
		return "FAILED: " + p.Fault
	case p.Ended:
		return fmt.Sprintf("%9.3f M msg/s", p.MsgsPerS/1e6)
	default:
		return fmt.Sprintf("%9.3f M msgs ", float64(p.Acknowledged)/1e6)
	}
}

func rough(d time.Duration) time.Duration { return d.Round(time.Second) }
