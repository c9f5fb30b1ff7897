package feed

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// station is one gateway of the soak test, with its relay, toxics and files. The test's goroutine
// owns it.
type station struct {
	t      *testing.T
	rng    *rand.Rand
	name   string
	mortal bool // may be killed and restarted
	args   []string

	relay  *testkit.Relay
	toxics *toxics
	tap    *feedtest.Tap // nil: not FG/1
	file   *testkit.Ledger
	state  string

	g      *gateway
	starts int

	heal  func()    // ends the current fault; nil: none
	until time.Time // when the current fault ends
}

func (st *station) start() {
	st.t.Helper()
	st.g = launch(st.t, testkit.Launch{Args: st.args, Admin: true})
	st.starts++
}

// awaitProgress waits until the gateway processes messages and its session is in the state file.
func (st *station) awaitProgress() {
	st.t.Helper()
	st.file.Read()
	before := st.file.Distinct
	testkit.Eventually(st.t, "progress of "+st.name, func() bool {
		st.file.Read()
		return st.file.Distinct > before && (st.tap == nil || readState(st.t, st.state).session != "")
	})
}

func (st *station) recover() {
	st.t.Helper()
	st.heal()
	st.heal = nil
}

// inject injects a random fault into a healthy station, and returns its name.
func (st *station) inject() string {
	st.t.Helper()
	most, faults := 6, []func() string{st.reset, st.stall, st.silence, st.slice, st.throttle, st.delay, st.kill, st.terminate}
	if st.mortal {
		most = len(faults)
	}
	st.heal = func() {}
	st.until = time.Now().Add(time.Duration(200+st.rng.IntN(2800)) * time.Millisecond)
	return faults[st.rng.IntN(most)]()
}

// toxic adds a toxic in both directions for the duration of the fault.
func (st *station) toxic(kind string, attributes map[string]int) string {
	st.t.Helper()
	streams := []string{"upstream", "downstream"}
	for _, stream := range streams {
		st.toxics.add(kind+" "+stream, kind, stream, attributes)
	}
	st.heal = func() {
		for _, stream := range streams {
			st.toxics.remove(kind + " " + stream)
		}
	}
	return kind
}

// reset resets the connection once, or, by toxiproxy, each connection shortly after it begins.
func (st *station) reset() string {
	if st.rng.IntN(2) == 0 {
		st.relay.Reset()
		return "reset"
	}
	return st.toxic("reset_peer", map[string]int{"timeout": st.rng.IntN(20)})
}

func (st *station) stall() string {
	st.relay.UpGate.Close()
	st.heal = st.relay.UpGate.Open
	return "stall"
}

// silence may last longer than --idle-timeout.
func (st *station) silence() string { return st.toxic("timeout", map[string]int{"timeout": 0}) }

func (st *station) slice() string {
	return st.toxic("slicer", map[string]int{"average_size": 64, "size_variation": 32, "delay": 50})
}

func (st *station) throttle() string {
	return st.toxic("bandwidth", map[string]int{"rate": 10 + st.rng.IntN(50)})
}

func (st *station) delay() string {
	return st.toxic("latency", map[string]int{"latency": 20 + st.rng.IntN(200), "jitter": 20})
}

// kill sends SIGKILL and restarts the gateway at once. Every acked message must be in the file.
func (st *station) kill() string {
	st.t.Helper()
	st.g.Kill()
	st.account()
	st.start()
	return "kill"
}

// terminate sends SIGTERM and restarts the gateway. Status 1, unfinished messages, is no fault: the
// feed server sends them again.
func (st *station) terminate() string {
	st.t.Helper()
	st.g.Signal(syscall.SIGTERM)
	testkit.Eventually(st.t, "the end of "+st.name, func() bool { return !st.g.Running() })
	if status := st.g.Status(); status != 0 && status != 1 {
		st.t.Errorf("%s: exit status %d after SIGTERM", st.name, status)
	}
	st.account()
	st.start()
	return "terminate"
}

// bypass restarts the gateway without the toxics, before the feed ends: a line feed half-closes its
// connection at the end, and toxiproxy would then close both directions.
func (st *station) bypass() {
	st.t.Helper()
	st.args[0] = "tcp://" + st.relay.Addr()
	st.terminate()
}

// account checks, while no gateway runs, that every acked message is durable.
func (st *station) account() {
	st.t.Helper()
	st.relay.WaitClosed()
	st.file.Read()
	if st.tap == nil {
		return
	}
	if n, first := st.tap.Premature(st.file); n > 0 {
		st.t.Errorf("%s: ACKED BEFORE DURABLE: %d messages, the first is %d", st.name, n, first)
	}
}
