package main

import (
	"fmt"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"feedgate/gateway"
	"feedgate/gateway/admin"
)

// runLinePeriod is how often the live line of run changes.
const runLinePeriod = time.Second

// usualWidth is the width of a terminal that does not tell it.
const usualWidth = 80

// runLine is the live line of run on a terminal, below the log.
type runLine struct {
	out       *logWriter
	width     func() int // of the terminal
	upstreams func() []admin.Upstream
	meters    meters
}

// startRunLine shows the line if the log is on a terminal that the messages do not share. stop removes
// it.
func (g *globals) startRunLine(upstreams func() []admin.Upstream) (stop func()) {
	out, ok := g.stderr.(*logWriter)
	if !ok || g.terminal == nil {
		return func() {}
	}
	l := &runLine{out: out, upstreams: upstreams, meters: meters{}, width: func() int {
		width, _, err := term.GetSize(int(g.terminal.Fd()))
		if err != nil || width == 0 {
			return usualWidth
		}
		return width
	}}
	l.text(time.Now())
	end := every(runLinePeriod, func(now time.Time) { out.setLive(fit(l.text(now), l.width())) })
	return func() {
		end()
		out.setLive("")
	}
}

// text returns the line. With several upstreams, it has their sums, and what one of them waits for that
// does not wait for its upstream, if there is such a one.
func (l *runLine) text(now time.Time) string {
	var sum rates
	all := l.upstreams()
	for i, u := range all {
		r := l.meters.next(u.Stats, now)
		sum.messages += r.messages
		sum.acked += r.acked
		sum.inFlight += r.inFlight
		sum.limit += r.limit
		sum.oldest = max(sum.oldest, r.oldest)
		sum.p99 = max(sum.p99, r.p99)
		if i == 0 || sum.waiting.For == gateway.ForUpstream {
			sum.waiting = r.waiting
			if len(all) > 1 && r.waiting.For != gateway.ForUpstream {
				sum.waiting.Words = u.Label + ": " + r.waiting.Words
			}
		}
	}
	return fmt.Sprintf("%s msg/s, %s acked/s, in flight %s of %s, oldest %v, p99 %v, waits for %s",
		thousands(uint64(sum.messages+0.5)), thousands(uint64(sum.acked+0.5)),
		thousands(uint64(sum.inFlight)), thousands(uint64(sum.limit)),
		sum.oldest.Round(time.Millisecond), sum.p99.Round(10*time.Microsecond), sum.waiting.Words)
}

// fit cuts text so that it fits a terminal's line; one that wraps could not be overwritten.
func fit(text string, width int) string {
	for n := 0; len(text) > 0 && utf8.RuneCountInString(text) >= max(width, 1); n++ {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
