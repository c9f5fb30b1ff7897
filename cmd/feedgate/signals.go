package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals are the channels of the signals that the process catches. They are buffered: a signal that
// arrives before the command line is parsed is neither lost, nor does it end the process.
type signals struct {
	stops   chan os.Signal // SIGINT, SIGTERM
	hangups chan os.Signal // SIGHUP, for run only; several before a reload become one
}

// catchSignals catches the signals that the command of args handles. main calls it first. Only run
// handles SIGHUP; other commands end with their terminal.
func catchSignals(args []string) *signals {
	s := &signals{stops: make(chan os.Signal, 2), hangups: make(chan os.Signal, 1)}
	if len(args) > 0 && args[0] == "run" {
		signal.Notify(s.hangups, syscall.SIGHUP)
	}
	signal.Notify(s.stops, syscall.SIGINT, syscall.SIGTERM)
	return s
}

// watch returns a context that the first SIGINT or SIGTERM cancels, and a channel that the second one
// closes; both are passed on to w. A third one ends the process. stop releases the resources.
func (s *signals) watch(w *watchdog) (ctx context.Context, abort <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	second := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		select {
		case <-s.stops:
			w.firstSignal()
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
