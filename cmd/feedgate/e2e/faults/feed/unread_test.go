package feed

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway/wire/fg1"
)

// TestKillUnread: the gateway is killed while the server reads no acks. The acks in its socket are
// lost, so their messages are sent again: at most the window, and those whose acks the server's TCP
// received and dropped because its buffer was full.
func TestKillUnread(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := &killing{
		t: t, mode: "each", wire: 2 * testkit.SmallBuffer / fg1.HeaderSize, state: filepath.Join(dir, "state"), tap: feedtest.NewTap(t),
		file:   newLedger(t, filepath.Join(dir, "out")),
		source: serve(t, 1_000_000, feedserver.Config{Count: feedserver.Endless, Rate: 100_000}),
	}
	k.relay = testkit.StartRelay(t, k.source.Address(), testkit.RelayOptions{Observe: k.tap.Observe, Small: true})
	g := k.start()
	testkit.Eventually(t, "acks", func() bool { return k.tap.Count() > 0 })
	k.relay.UpGate.Close()
	k.file.Read()
	from, last, grew := k.file.Distinct, k.file.Distinct, time.Now()
	testkit.Eventually(t, "unread acks, or a stall", func() bool {
		k.file.Read()
		if k.file.Distinct > last {
			last, grew = k.file.Distinct, time.Now()
		}
		return k.file.Distinct > from+20_000 || time.Since(grew) > 100*time.Millisecond
	})
	g.Kill()
	k.relay.UpGate.Open()
	k.account()
	c, lost := k.end()
	t.Logf("killed %d messages after the last ack was read: %d messages, %d lost, %d processed again (--in-flight %d)",
		last-from, c.Sent, lost, k.worst, killWindow)
}
