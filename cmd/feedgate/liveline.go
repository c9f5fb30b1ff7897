package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway"
	"feedgate/gateway/admin/view"

	"golang.org/x/term"
)

// Intervals of the live line. On a terminal it overwrites itself; elsewhere each is a new line.
const (
	livePeriod  = 250 * time.Millisecond
	plainPeriod = time.Second
)

// liveLine prints the progress of a demo until it is stopped.
type liveLine struct {
	w        io.Writer
	terminal *os.File // w, if it is a terminal, else nil
	server   *feedserver.Server
	stats    *gateway.Stats

	// Owned by the goroutine.
	start    time.Time
	previous time.Time
	acked    uint64 // at previous

	stopTicks func() // see every
}

// startLiveLine starts the goroutine, which runs until stop.
func startLiveLine(w io.Writer, server *feedserver.Server, stats *gateway.Stats) *liveLine {
	l := &liveLine{
		w: w, server: server, stats: stats,
		start: time.Now(), previous: time.Now(),
	}
	l.terminal = terminalOf(w)
	period := plainPeriod
	if l.terminal != nil {
		period = livePeriod
	}
	l.stopTicks = every(period, func() { l.write(l.text(time.Now())) })
	return l
}

// terminalOf returns w if it is a terminal, else nil.
func terminalOf(w io.Writer) *os.File {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// stop ends the goroutine and waits for its end.
func (l *liveLine) stop() {
	l.stopTicks()
	if l.terminal != nil {
		fmt.Fprintln(l.w)
	}
}

func (l *liveLine) text(now time.Time) string {
	total := l.server.Report().Total
	rate := float64(total.Acknowledged-l.acked) / now.Sub(l.previous).Seconds()
	l.previous, l.acked = now, total.Acknowledged
	return fmt.Sprintf("%5.1fs %12s msg/s %8s in flight %14s acked  p99 %s",
		now.Sub(l.start).Seconds(), thousands(uint64(rate)), thousands(uint64(max(l.stats.InFlight.Load(), 0))),
		thousands(total.Acknowledged), milliseconds(total.P99US))
}

func (l *liveLine) write(text string) {
	if l.terminal == nil {
		fmt.Fprintln(l.w, text)
		return
	}
	if width, _, err := term.GetSize(int(l.terminal.Fd())); err == nil {
		text = fit(text, width)
	}
	fmt.Fprint(l.w, clearLine+text)
}

// thousands formats n with commas between groups of three digits.
func thousands(n uint64) string { return view.Count(n).String() }

// milliseconds formats a number of microseconds.
func milliseconds(us float64) string { return fmt.Sprintf("%.2f ms", us/1e3) }
