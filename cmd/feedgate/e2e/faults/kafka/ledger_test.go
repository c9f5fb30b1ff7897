package kafka

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kafka"
	"feedgate/worker/sink/sinktest"
)

// messages makes n messages of keys keys in turn. Message i is "KEY-NUMBER-padding".
func messages(keys, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%d-%d-%s", i%keys, i/keys, strings.Repeat("x", i%40)))
	}
	return all
}

// keyOf returns the key of a message.
func keyOf(m string) string {
	key, _, _ := strings.Cut(m, "-")
	return key
}

// number returns the number of a message within its key.
func number(t testing.TB, m string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Split(m, "-")[1])
	if err != nil {
		t.Fatalf("%q is stored", m)
	}
	return n
}

// checkStored checks that all of sent is stored, each key in one partition and in order, and
// returns how many records are duplicates, which are not part of the order.
func checkStored(t testing.TB, stored []*kgo.Record, sent []string) (duplicates int) {
	t.Helper()
	seen := make(map[string]bool)
	partition, last := make(map[string]int32), make(map[string]int)
	for _, r := range stored {
		m := string(r.Value)
		key, n := keyOf(m), number(t, m)
		if p, ok := partition[key]; ok && p != r.Partition {
			t.Fatalf("key %s is in the partitions %d and %d", key, p, r.Partition)
		}
		partition[key] = r.Partition
		if seen[m] {
			duplicates++
		} else if n < last[key] {
			t.Fatalf("%q is stored after message %d of its key", m, last[key])
		}
		last[key] = max(last[key], n)
		seen[m] = true
	}
	lost := 0
	for _, m := range sent {
		if !seen[m] {
			lost++
		}
	}
	if lost > 0 || len(seen) > len(sent) {
		t.Fatalf("%d of %d messages are lost, %d are stored", lost, len(sent), len(seen))
	}
	return duplicates
}

// byKey is the part of a URL that makes the beginning of a message its key.
const byKey = "key=field:1:-"

// open opens a sink with a short --connect-timeout.
func open(t testing.TB, url string, cfg sink.Config) *sink.Sink {
	t.Helper()
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = time.Second
	}
	return sinktest.Open(t, kafka.Kind, url, cfg)
}

// feed sends messages through a gateway, those of a key to one worker, with at most inFlight
// unresolved, and calls step before each. It checks all along that no more messages are
// acknowledged than are stored.
func feed(c *cluster, g *handlertest.Gateway, workers, inFlight int, all []string, step func(i int)) {
	c.t.Helper()
	check := func() {
		c.t.Helper()
		if done := g.Resolved - g.Refused; done > c.count("orders") {
			c.t.Fatalf("%d messages are acknowledged, %d are stored", done, c.count("orders"))
		}
	}
	for i, m := range all {
		if step != nil {
			step(i)
		}
		if g.Sent()-g.Resolved >= inFlight {
			g.WaitFor("room in the window", func() bool { return g.Sent()-g.Resolved < inFlight/2 })
			check()
		}
		key, err := strconv.Atoi(keyOf(m))
		if err != nil {
			c.t.Fatal(err)
		}
		g.Send(key%workers, []byte(m))
	}
	g.WaitFor("the end", func() bool { return g.Resolved == g.Sent() })
	check()
}
