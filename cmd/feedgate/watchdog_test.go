package main

import (
	"testing"
	"testing/synctest"
	"time"

	"feedgate/cmd/feedgate/cli"
)

// TestWatchdog: which events end a process whose command does not return, and when.
func TestWatchdog(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(w *watchdog)
		after time.Duration // 0: nothing ends it
		code  int
	}{
		"nothing":                {do: func(*watchdog) {}},
		"a signal at the start":  {func(w *watchdog) { w.firstSignal() }, startGrace, cli.ExitOK},
		"two at the start":       {func(w *watchdog) { w.firstSignal(); w.hurry() }, startGrace, cli.ExitFailure},
		"a signal":               {do: func(w *watchdog) { w.setStarting(false); w.firstSignal() }},
		"a start that ends":      {do: func(w *watchdog) { w.firstSignal(); w.setStarting(false) }},
		"a signal between":       {func(w *watchdog) { w.setStarting(false); w.firstSignal(); w.setStarting(true) }, startGrace, cli.ExitOK},
		"two":                    {func(w *watchdog) { w.setStarting(false); w.firstSignal(); w.hurry() }, hurryGrace, cli.ExitFailure},
		"two, and it has ended":  {do: func(w *watchdog) { w.setStarting(false); w.firstSignal(); w.hurry(); w.stop() }},
		"the end of a drain":     {func(w *watchdog) { w.setStarting(false); w.hurry(); w.hurry() }, hurryGrace, cli.ExitFailure},
		"one, and it has ended":  {do: func(w *watchdog) { w.firstSignal(); w.stop() }},
		"two while it is ending": {do: func(w *watchdog) { w.stop(); w.firstSignal(); w.hurry() }},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var after time.Duration
			code, lines := -1, 0
			w := newWatchdog(func(status int) { code, after = status, time.Since(began) }, func(int, string) { lines++ })
			c.do(w)
			time.Sleep(time.Hour)
			synctest.Wait()
			if after != c.after || c.after != 0 && (code != c.code || lines != 1) {
				t.Errorf("%s: status %d after %v with %d lines, want %d after %v", name, code, after, lines, c.code, c.after)
			}
		})
	}
}
