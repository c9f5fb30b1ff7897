package sink_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// interval is the least time between two lines.
const interval = time.Second

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(testkit.Log)
		r := sink.NewRepeats(slog.New(slog.NewTextHandler(log, nil)), slog.LevelWarn, "happened")
		expect := func(lines int, latest string) {
			t.Helper()
			synctest.Wait()
			if log.Count("happened") != lines || log.Count(latest) != 1 {
				t.Errorf("want %d lines, one with %q; have\n%s", lines, latest, log.String())
			}
		}
		r.Add("number", 1)
		expect(1, "number=1\n")
		for i := range 10 {
			r.Add("number", 2+i)
		}
		expect(1, "number=1\n")
		time.Sleep(interval)
		expect(2, "number=11 times=10")
		time.Sleep(5 * interval)
		r.Add("number", 12)
		expect(3, "number=12\n")
		r.Add("number", 13)
		r.Forget()
		time.Sleep(5 * interval)
		expect(3, "number=12\n")
		r.Add("number", 12.5)
		r.Add("number", 13)
		r.Close()
		expect(5, "number=13\n")
		r.Close()
		r.Add("number", 14)
		expect(6, "number=14\n")
	})
}
