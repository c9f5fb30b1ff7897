package nsq

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// ample keeps all messages of a test in nsqd's memory.
const ample = "--mem-queue-size=4000000"

// TestVolume: each of many messages is delivered and processed once.
func TestVolume(t *testing.T) {
	t.Parallel()
	count, size := testkit.Form[uint64](100_000, 2_000_000), 64
	d, l := startNsqd(t, ample), newLedger(t)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2")
	publishAll(t, d, 1, count, size)
	c := awaitFinished(t, d, count)
	checkDeliveredOnce(t, c)
	if len(c.Clients) != 1 || c.Clients[0].Finished != count {
		t.Errorf("clients %+v, want one that has finished %d", c.Clients, count)
	}
	l.CheckComplete(count)
	if l.Lines != count {
		t.Errorf("%d lines of %d messages", l.Lines, count)
	}
	s := g.until("all acks counted", func(s stats) bool { return s.Acks["0"] == count })
	if s.Messages != count || s.Reconnects+s.faults() != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}

// checkDeliveredOnce checks that no message was delivered twice.
func checkDeliveredOnce(t *testing.T, c nsqtest.Channel) {
	t.Helper()
	if c.Requeued != 0 || c.TimedOut != 0 {
		t.Errorf("%d requeued, %d timed out", c.Requeued, c.TimedOut)
	}
}

// TestKeyed: with several workers, the messages of a key stay in order.
func TestKeyed(t *testing.T) {
	t.Parallel()
	const keys = 37
	count := testkit.Form(50_000, 500_000)
	d, l := startNsqd(t, ample), newLedger(t)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=4", "--dispatch=key", "--key=field:1:,")
	rng := testkit.Rand(t)
	var next [keys]int
	var bodies [][]byte
	for range count {
		k := rng.IntN(keys)
		next[k]++
		bodies = append(bodies, fmt.Appendf(nil, "key%d,%d", k, next[k]))
	}
	if err := d.Publish(topic, bodies...); err != nil {
		t.Fatal(err)
	}
	checkDeliveredOnce(t, awaitFinished(t, d, uint64(count)))
	g.Stop()
	text, err := os.ReadFile(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	var last [keys]int
	for line := range strings.Lines(string(text)) {
		key, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ",")
		k, err := strconv.Atoi(strings.TrimPrefix(key, "key"))
		if err != nil || k < 0 || k >= keys {
			t.Fatalf("line %q", line)
		}
		if n, err := strconv.Atoi(number); err != nil || n != last[k]+1 {
			t.Fatalf("line %q after number %d of its key", line, last[k])
		}
		last[k]++
	}
	if last != next {
		t.Errorf("keys have %v messages, want %v", last, next)
	}
}
