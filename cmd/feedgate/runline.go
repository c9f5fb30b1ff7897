package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"feedgate/gateway/admin/view"
)

const (
	// runLinePeriod is how often the live line of run changes.
	runLinePeriod = time.Second
	// usualWidth is the width of a terminal that does not report it, in columns.
	usualWidth = 80
)

// startRunLine shows what all upstreams do in one line below the log, if that is on a terminal. stop
// removes the line.
func (g *globals) startRunLine(snapshot func() *view.Snapshot) (stop func()) {
	if !g.hasLiveLine() {
		return func() {}
	}
	out := g.stderr.(*logWriter)
	var history view.History
	history.Add(snapshot())
	end := every(runLinePeriod, func() {
		history.Add(snapshot())
		width, _, err := term.GetSize(int(g.terminal.Fd()))
		if err != nil || width == 0 {
			width = usualWidth
		}
		out.setLive(fit(runLine(history.View()), width))
	})
	return func() {
		end()
		out.setLive("")
	}
}

// hasLiveLine reports whether run shows a live line.
func (g *globals) hasLiveLine() bool {
	_, ok := g.stderr.(*logWriter)
	return ok && g.terminal != nil && !g.dataOnTerminal
}

// runLine is the live line of run. What is said first is still there in a narrow terminal.
func runLine(v *view.View) string {
	state := v.Short()
	if v.Level() == view.Well {
		state, _, _ = strings.Cut(state, ", waiting for")
	}
	line := fmt.Sprintf("%s: %v msg/s, %v acked/s, in flight %v of %v, oldest %v, p99 %v",
		state, v.Incoming, v.Acked, view.Count(v.InFlight.Now), view.Count(v.InFlight.Limit), v.Oldest, v.P99)
	if detail := v.Detail(); detail != "" && v.Level() != view.Well {
		line += "; " + detail
	}
	return line
}

// fit cuts text so that it fits a terminal's line; one that wraps could not be overwritten.
func fit(text string, width int) string { return runewidth.Truncate(text, width-1, "") }
