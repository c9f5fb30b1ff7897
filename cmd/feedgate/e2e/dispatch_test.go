package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestMessagesOfAKeyStayInOrder: and with one worker.
func TestMessagesOfAKeyStayInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key    string
		format string
	}{
		"field": {"field:1: ", "key-%02d number %d"},
		"bytes": {"bytes:4:2", "key-%02d number %d"},
		"json":  {"json:id", `{"x":1,"id":"key-%02d","number":%d}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const count, keys = 3000, 20
			kids := newChildren(t)
			p, _, conn := connectFG(t, "{}", "--exit-on-close", "--workers=4", "--dispatch=key", "--key="+c.key, kids.sink(t))
			sent := make(map[string][]string)
			key := func(i int) string { return fmt.Sprint(i * i % keys) }
			frames := make([]frame, count)
			for i := range frames {
				message := fmt.Sprintf(c.format, i*i%keys, i)
				frames[i] = data(uint64(i+1), message)
				sent[key(i)] = append(sent[key(i)], message)
			}
			conn.send(frames...)
			conn.finish(0, count)
			p.exit(0)
			checkKeys(t, kids.deliveries(t), sent)
		})
	}
}

// checkKeys checks that one child got all messages of a key, in the order in which they were sent, and
// that more than one child got messages.
func checkKeys(t *testing.T, got []delivery, sent map[string][]string) {
	t.Helper()
	keyOf := map[string]string{}
	for key, messages := range sent {
		for _, m := range messages {
			keyOf[m] = key
		}
	}
	worker, next, workers := map[string]int{}, map[string]int{}, map[int]bool{}
	for _, d := range got {
		key := keyOf[d.message]
		if pid, known := worker[key]; known && pid != d.pid {
			t.Fatalf("key %s went to two workers", key)
		}
		worker[key], workers[d.pid] = d.pid, true
		if want := sent[key][next[key]]; d.message != want {
			t.Fatalf("key %s: %q out of order, want %q", key, d.message, want)
		}
		next[key]++
	}
	for key, messages := range sent {
		if next[key] != len(messages) {
			t.Errorf("key %s: %d of %d messages", key, next[key], len(messages))
		}
	}
	if len(workers) < 2 {
		t.Errorf("%d workers got messages", len(workers))
	}
}

func TestDispatchSpreadUsesAllWorkers(t *testing.T) {
	t.Parallel()
	const count, workers = 4000, 4
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", fmt.Sprint("--workers=", workers), kids.sink(t))
	// Sent one after another, so that the gateway needs many reads.
	for first := uint64(1); first <= count; first += 100 {
		var frames []frame
		for seq := first; seq < first+100; seq++ {
			frames = append(frames, data(seq, fmt.Sprint("message ", seq)))
		}
		c.send(frames...)
		c.acks(100)
	}
	c.finish(0, 0)
	p.exit(0)
	share := map[int]int{}
	for _, d := range kids.deliveries(t) {
		share[d.pid]++
	}
	if len(share) != workers {
		t.Errorf("%d of %d workers got messages", len(share), workers)
	}
	t.Logf("messages by worker: %v", share)
}

// TestSpreadSkipsAFullRing: a stuck worker delays only the messages in its ring and its sink. The
// messages are large, so the pipe to its child holds few of them.
func TestSpreadSkipsAFullRing(t *testing.T) {
	t.Parallel()
	const count, held = 2000, 500
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=2", "--ring=16", kids.sink(t))
	c.send(data(1, door.wait()))
	eventually(t, "a child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	large := strings.Repeat("m", 4<<10)
	for seq := uint64(2); seq <= count; seq++ {
		c.send(data(seq, large))
	}
	free := c.acks(count - held)
	if _, early := free[1]; early {
		t.Fatal("ack of a message that is not done")
	}
	door.open(t)
	c.finish(0, held)
	p.exit(0)
}

// TestKeyWaitsForARetry: messages wait for the retry of an earlier message of their key. Other keys do not.
func TestKeyWaitsForARetry(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--dispatch=key", "--key=field:1: ",
		"--retries=2", "--retry-min=20ms", kids.sink(t))
	c.send(data(1, "bad code=2000"), data(2, "bad later"), data(3, "good"))
	if codes := c.acks(3); codes[1] != 2000 || codes[2] != 0 || codes[3] != 0 {
		t.Errorf("codes %v", codes)
	}
	c.finish(0, 0)
	p.exit(0)
	var bad []string
	for _, d := range kids.deliveries(t) {
		if strings.HasPrefix(d.message, "bad") {
			bad = append(bad, d.message)
		}
	}
	if got := strings.Join(bad, ";"); got != "bad code=2000;bad code=2000;bad code=2000;bad later" {
		t.Errorf("the key's messages in order: %s", got)
	}
}
