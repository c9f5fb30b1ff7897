package chaos

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/bench/feed"
	"feedgate/gateway/wire/fg1"
)

// TestKillUnread: kill -9 while the server does not read acks. Those in the gateway's
// socket are gone with it, and what they were for is sent again: not more than the
// window in all, and what the server's TCP drops of a full buffer though it was on the
// wire.
func TestKillUnread(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := &killing{
		t: t, mode: "each", wire: 2 * smallBuffer / fg1.HeaderSize, state: filepath.Join(dir, "state"), tap: &tap{t: t},
		file:   &ledger{t: t, path: filepath.Join(dir, "out")},
		source: serve(t, 1_000_000, feed.Config{Count: feed.Endless, Rate: 100_000}),
	}
	k.relay = startRelay(t, k.source.address(), wiring{tap: k.tap, small: true})
	g := k.start()
	eventually(t, "acks", func() bool { return k.tap.count() > 0 })
	k.relay.hold.close()
	k.file.read()
	from, last, grew := k.file.once, k.file.once, time.Now()
	eventually(t, "unread acks, or a stall", func() bool {
		k.file.read()
		if k.file.once > last {
			last, grew = k.file.once, time.Now()
		}
		return k.file.once > from+20_000 || time.Since(grew) > 100*time.Millisecond
	})
	g.kill()
	k.relay.hold.open()
	k.account()
	c, lost := k.end()
	t.Logf("killed %d messages after the last ack was read: %d messages, %d lost, %d processed again (--in-flight %d)",
		last-from, c.Sent, lost, k.worst, killWindow)
}
