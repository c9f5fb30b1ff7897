package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals are the signals that the process has asked for. They wait in its channels, so
// that none which arrives while the command line is read, or earlier, is lost or ends it.
type signals struct {
	stops   chan os.Signal // SIGINT, SIGTERM
	hangups chan os.Signal // SIGHUP, of run; several that wait are one reload
}

// catchSignals asks for the signals that the command of args knows. main calls it first.
// Commands other than run end with their terminal.
func catchSignals(args []string) *signals {
	s := &signals{stops: make(chan os.Signal, 2), hangups: make(chan os.Signal, 1)}
	if len(args) > 0 && args[0] == "run" {
		signal.Notify(s.hangups, syscall.SIGHUP)
	}
	signal.Notify(s.stops, syscall.SIGINT, syscall.SIGTERM)
	return s
}

// watch returns a context that the first SIGINT or SIGTERM cancels and a channel that the
// second closes. Both go to w, too. A third has its usual effect.
func (s *signals) watch(w *watchdog) (ctx context.Context, abort <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	second := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		select {
		case <-s.stops:
			w.signalled()
			cancel()
		case <-stopped:
			return
		}
		select {
		case <-s.stops:
			signal.Stop(s.stops)
			w.hurry()
			close(second)
		case <-stopped:
		}
	}()
	return ctx, second, func() {
		signal.Stop(s.stops)
		close(stopped)
		cancel()
	}
}
