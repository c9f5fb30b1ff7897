package delivery_test

import (
	"testing"

	"pgregory.net/rapid"

	"feedgate/worker"
)

// TestAcksReachTheServer: in every schedule, each message is processed once and acked at most once
// per connection, never before it is done, and in the end all are acked.
func TestAcksReachTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		whileOnline := func(f func()) func(*rapid.T) {
			return func(*rapid.T) {
				m.emitDone()
				if m.online {
					f()
				}
			}
		}
		draw := func(least, most int, what string) int { return rapid.IntRange(least, most).Draw(t, what) }
		t.Repeat(map[string]func(*rapid.T){
			"arrive": whileOnline(func() { m.arrive(draw(1, 100, "n"), draw(0, 1, "fill") > 0) }),
			"refuse": whileOnline(func() {
				if m.cursor > m.sent && m.send(m.cursor, worker.TooLarge) {
					m.cursor++
				}
			}),
			"miss": whileOnline(func() {
				if m.cursor > m.sent {
					m.miss(uint64(draw(1, 5, "n")))
				}
			}),
			"fill": whileOnline(func() { m.fill(draw(0, 100, "which")) }),
			"finish": func(*rapid.T) {
				code := worker.OK
				if draw(0, 9, "fails") == 0 {
					code = worker.Refused
				}
				m.finish(draw(0, 1000, "at"), draw(1, 80, "n"), code)
			},
			"finish set": func(t *rapid.T) { m.finishSet(draw(0, 1000, "at"), rapid.Uint64().Draw(t, "which")) },
			"send":       whileOnline(func() { m.kernelTakes(draw(1, 900, "bytes")) }),
			"read":       whileOnline(func() { m.serverReads(draw(1, 900, "bytes")) }),
			"wire":       whileOnline(func() { m.track.SendBuffer().Transmitted(draw(0, 900, "unsent")) }),
			"time":       func(*rapid.T) { m.emitDone(); m.now += 60; m.track.Flush(m.now, false) },
			"reconnect": func(*rapid.T) {
				m.emitDone()
				if m.online {
					m.disconnect()
				} else {
					m.resume(draw(0, 1, "skips") > 0)
				}
			},
			"new session": func(*rapid.T) {
				m.emitDone()
				if m.online {
					m.disconnect()
				}
				m.begin(m.sent + 1000)
			},
			"": m.check,
		})
		m.emitDone()
		m.windUp()
	})
}
