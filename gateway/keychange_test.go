package gateway

import (
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// TestHandlerChangesKey: a handler that overwrites a message's key blocks neither the old key nor
// the new one.
func TestHandlerChangesKey(t *testing.T) {
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), func(m worker.Message) worker.Code {
		m.Data[0]++
		return worker.OK
	})
	cfg.Workers, cfg.Dispatch, cfg.Key, cfg.Retries, cfg.RetryMin = 1, "key", "bytes:0:1", 1, time.Millisecond
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	const n = 30
	for seq := uint64(1); seq <= n; seq++ {
		conn.data(seq, "abc"[seq%3:])
	}
	conn.ackSet(n)
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}
