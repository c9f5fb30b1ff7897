package e2e

import (
	"syscall"
	"testing"
)

// pings reads n PINGs, answering each.
func (c *fgConn) pings(n int) {
	c.t.Helper()
	for range n {
		f, err := c.read()
		if err != nil || f.op != opPing {
			c.t.Fatalf("got %v, %v; want PING", f, err)
		}
		c.pong(f.seq)
	}
}

func TestHeartbeatFlagSetsThePingInterval(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--heartbeat=50ms")
	c.pings(3)
	p.stop(c)
}

func TestWelcomeSetsThePingInterval(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{"heartbeat_ms":100}`, "--heartbeat=1h")
	c.pings(3)
	p.stop(c)
}

// TestPongDoesNotWaitForTheSink: PING is answered while the sink is stuck.
func TestPongDoesNotWaitForTheSink(t *testing.T) {
	t.Parallel()
	for name, sink := range map[string]string{"exec": "exec:sleep 60", "spin": "spin:1h"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=50ms", "--sink="+sink)
			c.send(data(1, "one"), data(2, "two"))
			for seq := range uint64(3) {
				if before := c.fence(1<<60 + seq); len(before) > 0 {
					t.Fatalf("before PONG: %v", before)
				}
			}
			c.send(data(3, "three"))
			c.fence(0)
			p.signal(syscall.SIGTERM)
			c.leave()
			p.exit(1)
		})
	}
}

// TestPongsStayInOrder: between messages and acks.
func TestPongsStayInOrder(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--exit-on-close")
	const rounds = 500
	for seq := uint64(1); seq <= rounds; seq++ {
		c.send(data(seq, "message"), frame{op: opPing, seq: seq * 7})
	}
	acks, pong := 0, uint64(7)
	for acks < rounds || pong <= rounds*7 {
		switch f := c.next(); {
		case f.op == opAck:
			acks++
		case f.op == opPong && f.seq == pong:
			pong += 7
		default:
			t.Fatalf("got %v; next PONG is %d", f, pong)
		}
	}
	c.finish(0, 0)
	p.exit(0)
}

// TestIdleTimeoutReconnects: the server sends nothing at all.
func TestIdleTimeoutReconnects(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"idle"}`, "--heartbeat=1h", "--idle-timeout=1s")
	c.send(data(1, "one"))
	c.acked(1)
	c.leave()
	c = s.accept()
	if seq, h := c.hello(); seq != 1 || *h.Session != "idle" {
		t.Fatalf("HELLO seq %d session %q", seq, *h.Session)
	}
	c.close()
	p.signal(syscall.SIGTERM)
	p.exit(0)
}
