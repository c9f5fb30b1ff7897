package toylog

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/docs/examples/toylog/toylogtest"
	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

// faulty fails at random. Bad messages are never stored.
func faulty(rng *rand.Rand) func(toylogtest.Message) toylogtest.Answer {
	return func(m toylogtest.Message) toylogtest.Answer {
		bad := strings.HasSuffix(m.Data, "bad")
		n := rng.IntN(200)
		switch {
		case n < 3:
			return toylogtest.Reset
		case n < 6 && !bad:
			return toylogtest.Lost
		case n == 6:
			return toylogtest.Hang
		case n == 7:
			time.Sleep(10 * time.Millisecond)
		case n < 16:
			return toylogtest.Busy
		}
		if bad {
			return toylogtest.Never
		}
		return toylogtest.Stored
	}
}

// TestFaultRun: whatever the two hosts of a log do, each key is stored in order, no message is
// lost, and none is acknowledged before it is stored.
func TestFaultRun(t *testing.T) {
	const workers, keys, perKey, inFlight = 4, 40, 50, 256
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := toylogtest.Log{Answer: faulty(rand.New(rand.NewPCG(seed, 0)))}
	a, b := l.Listen(t, free), l.Listen(t, free)
	out := open(t, a.Addr+","+b.Addr, "?batch=16&key=field:1:-", config(50*time.Millisecond))
	g := handlertest.Start(t, out, workers, inFlight)

	checkAcks := func() {
		t.Helper()
		if done := g.Resolved - g.Refused; done > len(distinct(l.Stored())) {
			t.Fatalf("%d messages are acknowledged, but only %d are stored", done, len(distinct(l.Stored())))
		}
	}
	number := make(map[string]int) // by message
	for i := range keys * perKey {
		switch i % 400 {
		case 100:
			a.Close()
		case 200:
			b.Close() // now both are away
			g.WaitFor("not ready", func() bool { return out.Ready() != nil })
			a = l.Listen(t, a.Addr)
		case 300:
			b = l.Listen(t, b.Addr)
		}
		g.WaitFor("less in flight", func() bool { return g.Sent()-g.Resolved < inFlight })
		checkAcks()
		key, n, text := i%keys, i/keys, "good"
		if (key+n)%10 == 9 {
			text = "bad"
		}
		m := fmt.Sprintf("%d-%d-%s", key, n, text)
		number[m] = g.Send(key%workers, []byte(m))
	}
	g.WaitFor("the end", func() bool {
		checkAcks()
		return g.Resolved == len(number)
	})
	g.Stop()

	stored := l.Stored()
	checkOrder(t, stored)
	done := distinct(stored)
	for m, i := range number {
		code := worker.OK
		if strings.HasSuffix(m, "bad") {
			code = worker.Refused
		}
		if g.Code(i) != code || done[m] != (code == worker.OK) {
			t.Errorf("%s has code %d, stored: %v", m, g.Code(i), done[m])
		}
	}
	t.Logf("%d stored, %d of them again, in %d batches", len(stored), len(stored)-len(done), len(l.Batches()))
	a.Close()
	b.Close()
}

func distinct(stored []toylogtest.Message) map[string]bool {
	all := make(map[string]bool)
	for _, m := range stored {
		all[m.Data] = true
	}
	return all
}

// checkOrder checks that no message is stored after a later one of its key, also if it is stored
// again because its answer was lost.
func checkOrder(t *testing.T, stored []toylogtest.Message) {
	t.Helper()
	last := make(map[string]int)
	for _, m := range stored {
		n, err := strconv.Atoi(strings.Split(m.Data, "-")[1])
		if err != nil || n < last[m.Key] {
			t.Fatalf("%q is stored after message %d of its key", m.Data, last[m.Key])
		}
		last[m.Key] = n
	}
}
