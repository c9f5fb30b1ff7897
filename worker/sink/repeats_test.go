package sink

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logBuffer)
		r := newRepeats(slog.New(slog.NewTextHandler(log, nil)), slog.LevelWarn, "happened")
		expect := func(lines int, latest string) {
			t.Helper()
			synctest.Wait()
			if log.count("happened") != lines || log.count(latest) != 1 {
				t.Errorf("want %d lines, one with %q; have\n%s", lines, latest, log.buf.String())
			}
		}
		r.add("number", 1)
		expect(1, "number=1\n")
		for i := range 10 {
			r.add("number", 2+i)
		}
		expect(1, "number=1\n")
		time.Sleep(repeatInterval)
		expect(2, "number=11 times=10")
		time.Sleep(5 * repeatInterval)
		r.add("number", 12)
		expect(3, "number=12\n")
		r.add("number", 13)
		r.close()
		expect(4, "number=13\n")
		r.close()
		r.add("number", 14)
		expect(5, "number=14\n")
	})
}
