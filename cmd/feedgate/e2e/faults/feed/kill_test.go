package feed

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	killWindow = 1000  // --in-flight
	killRate   = 20000 // messages per second that become due; a backlog is sent at once
)

// TestKill: the gateway is killed (SIGKILL) at random moments under load and restarted at once
// with the same file and state file, 200 times in each ack mode. One session survives it all.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"each", "ordered", "range"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := &killing{
				t: t, mode: mode, rng: testkit.Rand(t), state: filepath.Join(dir, "state"),
				file:   newLedger(t, filepath.Join(dir, "out")),
				source: serve(t, testkit.Form(400_000, 3_000_000), feedserver.Config{Count: feedserver.Endless, Rate: killRate}),
				tap:    feedtest.NewTap(t),
			}
			k.relay = testkit.StartRelay(t, k.source.Address(), testkit.RelayOptions{Observe: k.tap.Observe})
			kills := testkit.Form(4, 200)
			for range kills {
				k.life()
			}
			c, lost := k.end()
			t.Logf("%d kills: %d messages, %d lost, %d acked before durable, %d processed again, %d at most after one kill (--in-flight %d)",
				kills, c.Sent, lost, k.early, k.file.Duplicates(), k.worst, killWindow)
		})
	}
}

// killing is one session and its successive gateways. The test's goroutine owns it.
type killing struct {
	t      *testing.T
	mode   string
	rng    *rand.Rand
	state  string
	file   *testkit.Ledger
	source *feedtest.Source
	tap    *feedtest.Tap
	relay  *testkit.Relay

	again uint64
	worst uint64 // most messages processed again after one kill
	wire  uint64 // acks that the peer's TCP may have dropped because its buffer was full
	early uint64 // messages that were acked before they were durable
}

func (k *killing) start() *gateway {
	return start(k.t, "fg://"+k.relay.Addr(), k.file.Flag(), "--state="+k.state,
		"--ack="+k.mode, "--ack-interval=5ms", "--workers=2", "--in-flight="+strconv.Itoa(killWindow))
}

// end runs the last gateway, which is not killed.
func (k *killing) end() (c feedserver.Counts, lost uint64) {
	k.t.Helper()
	g, before := k.start(), k.tap.Count()
	// finish does not wait for clients that are not connected.
	testkit.Eventually(k.t, "acks", func() bool { return k.tap.Count() > before })
	c = feedtest.OnlySession(k.t, k.source.Finish())
	g.Stop()
	lost = checkSession(k.t, k.file, c)
	k.bound()
	return c, lost
}

// life starts a gateway, kills it and checks what it has left.
func (k *killing) life() {
	k.t.Helper()
	g, before := k.start(), k.tap.Count()
	if before > 0 && k.rng.IntN(5) == 0 { // while it starts, logs in, resumes the session
		time.Sleep(time.Duration(k.rng.IntN(40)) * time.Millisecond)
	} else {
		enough := before + 1 + uint64(k.rng.IntN(3000))
		testkit.Eventually(k.t, "acks", func() bool { return k.tap.Count() >= enough })
		time.Sleep(time.Duration(k.rng.IntN(5000)) * time.Microsecond)
	}
	if !g.Running() {
		k.t.Fatal("the gateway ended on its own")
	}
	g.Kill()
	k.account()
}

// account checks, while no gateway runs, that every acked message is durable.
func (k *killing) account() {
	k.t.Helper()
	k.relay.WaitClosed()
	k.file.Read()
	if n, first := k.tap.Premature(k.file); n > 0 {
		k.early += n
		k.t.Errorf("ACKED BEFORE DURABLE: %d messages, the first is %d", n, first)
	}
	if s := readState(k.t, k.state); s.seq > 0 && k.contiguous() < s.seq {
		k.t.Errorf("the state file has seq %d, but %d is not in the sink's file", s.seq, k.contiguous()+1)
	}
	k.bound()
}

// bound checks how many messages were processed again since its last call.
func (k *killing) bound() {
	k.t.Helper()
	n := k.file.Duplicates() - k.again
	k.again, k.worst = k.file.Duplicates(), max(k.worst, n)
	if n > killWindow+k.wire {
		k.t.Errorf("%d messages were processed again after one kill, more than --in-flight %d", n, killWindow)
	}
}

// contiguous returns the number up to which the file has all messages.
func (k *killing) contiguous() uint64 {
	n := uint64(0)
	for k.file.Count(n+1) > 0 {
		n++
	}
	return n
}
