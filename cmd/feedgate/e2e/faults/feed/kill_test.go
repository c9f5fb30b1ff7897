package feed

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	killWindow = 1000  // --in-flight
	killRate   = 20000 // messages per second that fall due; a backlog comes at once
)

// TestKill: kill -9 at random moments under load, and at once started again with the
// same file and the same state, 200 times in each ack mode. One session lives through
// all of it.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"each", "ordered", "range"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := &killing{
				t: t, mode: mode, dice: testkit.Dice(t), state: filepath.Join(dir, "state"),
				file:   newLedger(t, filepath.Join(dir, "out")),
				source: serve(t, testkit.Form(400_000, 3_000_000), feedserver.Config{Count: feedserver.Endless, Rate: killRate}),
				tap:    &tap{t: t},
			}
			k.relay = testkit.StartRelay(t, k.source.address(), testkit.RelayOptions{Observe: k.tap.look})
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

// killing is one session and the gateways that come and go. The test's goroutine
// owns it.
type killing struct {
	t      *testing.T
	mode   string
	dice   *rand.Rand
	state  string
	file   *testkit.Ledger
	source *source
	tap    *tap
	relay  *testkit.Relay

	again uint64
	worst uint64 // processed again after one kill
	wire  uint64 // acks that the peer's TCP may have dropped, its buffer being full
	early uint64 // acked and not durable
}

func (k *killing) start() *gateway {
	return start(k.t, "fg://"+k.relay.Addr(), k.file.Flag(), "--state="+k.state,
		"--ack="+k.mode, "--ack-interval=5ms", "--workers=2", "--in-flight="+strconv.Itoa(killWindow))
}

// end is the last gateway, which is left alone.
func (k *killing) end() (c feedserver.Counts, lost uint64) {
	k.t.Helper()
	g, before := k.start(), k.tap.count()
	// A feed that is told to finish does not wait for who is not connected.
	testkit.Eventually(k.t, "acks", func() bool { return k.tap.count() > before })
	c = one(k.t, k.source.finish())
	g.Stop()
	lost = settle(k.t, k.file, c)
	k.bound()
	return c, lost
}

// life is one gateway from its start to its kill, and what it leaves behind.
func (k *killing) life() {
	k.t.Helper()
	g, before := k.start(), k.tap.count()
	if before > 0 && k.dice.IntN(5) == 0 { // while it starts, logs in, takes up the session
		time.Sleep(time.Duration(k.dice.IntN(40)) * time.Millisecond)
	} else {
		enough := before + 1 + uint64(k.dice.IntN(3000))
		testkit.Eventually(k.t, "acks", func() bool { return k.tap.count() >= enough })
		time.Sleep(time.Duration(k.dice.IntN(5000)) * time.Microsecond)
	}
	if !g.Running() {
		k.t.Fatal("the gateway ended by itself")
	}
	g.Kill()
	k.account()
}

// account compares what was acked with what is durable, while no gateway runs.
func (k *killing) account() {
	k.t.Helper()
	k.relay.WaitClosed()
	k.file.Read()
	if n, first := k.tap.unfounded(k.file); n > 0 {
		k.early += n
		k.t.Errorf("ACKED BEFORE DURABLE: %d messages, the first is %d", n, first)
	}
	if s := readState(k.t, k.state); s.seq > 0 && k.contiguous() < s.seq {
		k.t.Errorf("the state says that all up to %d is done, and %d is not in the file", s.seq, k.contiguous()+1)
	}
	k.bound()
}

// bound checks how much was processed again since it was called last.
func (k *killing) bound() {
	k.t.Helper()
	n := k.file.Duplicates() - k.again
	k.again, k.worst = k.file.Duplicates(), max(k.worst, n)
	if n > killWindow+k.wire {
		k.t.Errorf("%d messages were processed again after one kill, more than --in-flight %d", n, killWindow)
	}
}

// contiguous is the number up to which all are in the file.
func (k *killing) contiguous() uint64 {
	n := uint64(0)
	for k.file.Count(n+1) > 0 {
		n++
	}
	return n
}
