package feedserver

import (
	"time"

	"github.com/panjf2000/gnet/v2"
)

const (
	// batchBytes limits what is rendered and written at once, except for a single longer message.
	batchBytes = 256 << 10
	// turnBytes limits what one connection writes before other connections and input are served.
	turnBytes = 256 << 10
	// maxReplies limits the replies queued for a client that does not read, in bytes.
	maxReplies = 64 << 10
	// pace is the interval of batches under Config.Rate: messages that fall due between two multiples of
	// pace are sent at the second one. Without it, a high rate would take one write per message. Messages
	// further apart than pace are sent when they are due.
	//
	// Latency counts from when a message was due, so the median includes about half of pace. A shorter
	// pace costs more than it gains, because each batch wakes a thread three times (the watch for the
	// timer, the loop for the batch, the loop for the acks), at about 20 µs of processor time each on a
	// virtual machine. Measured on a virtual machine with 2 cores at 10,000 to 200,000 messages per
	// second: with 100 µs, a median of 80 to 150 µs and 0.5 cores; with 50 µs, up to a fifth less and 0.6
	// cores; with 20 µs, no further gain, because a wake-up takes longer than that. A pause of 200 µs
	// after each batch gives 190 to 220 µs and 0.4 cores. A fixed grid avoids that the delay of each
	// wake-up, 60 µs, adds to a pause.
	pace = 100 * time.Microsecond
)

// connState is the state of a connection.
type connState uint8

const (
	stateLogin   connState = iota // has no session yet
	stateRunning                  // has a session
	stateClosing                  // close was called; the peer's end is awaited
)

// conn is a connection, owned by the loop. Its send queue is the unsent rest of one batch, and replies,
// which are sent before or after the batch, never within it.
type conn struct {
	l     *loop
	g     gnet.Conn
	fd    int
	sec   *tlsConn // nil: without TLS
	codec codec
	ses   *session // nil before the login, and after the session was suspended or has ended
	state connState

	replies []byte
	batch   batch
	off     int    // bytes of the batch that are sent
	next    uint64 // number of the next message to render
	blocked bool   // the socket is full; the watch reports when it is writable
	queued  bool   // in l.yielded

	drawn    bool // faults are those of the next batch
	faults   batchFaults
	resetAt  int           // offset of a reset in the batch; -1: none
	stalled  time.Duration // chaos: nothing is sent before this time
	pause    time.Duration // rate: nothing is sent before this time
	nextPump time.Duration // when tick calls pump; 0: never

	lastRead, nextPing time.Duration
	pings              uint64        // sent
	deadline           time.Duration // of stateClosing

	inHandler  bool // in a call from gnet that ends with an Action
	killed     bool // closed, or to be closed when the call from gnet returns
	shut       bool // the sending side is closed
	discarding bool // input is discarded
	silent     bool // half-open by chaos
	peerEnded  bool // the client has sent its end frame: it wants no more messages
}

// pump sends until nothing is left, the socket is full, chaos or the rate forbids it, or turnBytes are
// written.
func (c *conn) pump() {
	if c.blocked || c.silent || c.killed {
		return
	}
	c.nextPump = 0
	for begun := c.l.written; ; {
		if err := c.flush(); err != nil {
			c.l.log.Info("write failed", "client", c.name(), "error", err)
			c.kill()
		}
		if c.blocked || c.killed {
			return
		}
		if c.l.written-begun >= turnBytes {
			c.l.yield(c)
			return
		}
		if !c.fill() && !c.endIfDone() {
			return
		}
	}
}

// flush writes the replies and the batch until the socket is full.
func (c *conn) flush() error {
	if c.sec != nil {
		full, err := c.sec.flush()
		if err != nil {
			return err
		}
		c.blocked = full
	}
	for !c.blocked && !c.killed {
		midBatch := c.off > 0 && c.off < len(c.batch.buf)
		switch {
		case len(c.replies) > 0 && !midBatch:
			n, full, err := c.write(c.replies)
			if err != nil {
				return err
			}
			c.replies, c.blocked = c.replies[:copy(c.replies, c.replies[n:])], full
		case c.off == c.resetAt:
			c.reset()
		case c.off < len(c.batch.buf):
			end := len(c.batch.buf)
			if c.resetAt > c.off {
				end = c.resetAt
			}
			if c.sec == nil {
				end = c.off + c.piece(end-c.off)
			}
			n, full, err := c.write(c.batch.buf[c.off:end])
			if err != nil {
				return err
			}
			c.blocked = full
			c.sent(n)
		default:
			return nil
		}
	}
	return nil
}

// write is [writeSocket], through TLS if the connection uses it.
func (c *conn) write(p []byte) (n int, full bool, err error) {
	if c.sec != nil {
		return c.sec.write(p)
	}
	return writeSocket(c.fd, p)
}

// piece returns the length of the next write to the socket when n bytes are left.
func (c *conn) piece(n int) int {
	if c.ses == nil {
		return n
	}
	return c.l.cfg.Chaos.piece(n, c.ses.splitRNG)
}

// sent records that the socket has accepted n more bytes of the batch.
func (c *conn) sent(n int) {
	c.off += n
	c.l.written += n
	c.ses.bytes += uint64(n)
	c.ses.markSent(c.batch.firstAfter(c.off), c.l.now)
}

// fill renders the next batch; false if no message may be sent now.
func (c *conn) fill() bool {
	if c.state != stateRunning || c.peerEnded || c.shut || c.drained() {
		return false
	}
	c.l.updateNow()
	c.ses.expire(c.l.now)
	n := c.sendable()
	if n == 0 || c.l.cfg.Chaos.any() && !c.applyChaos() {
		return false
	}
	if c.next == c.ses.led.base && !c.l.traits.pings {
		// The idle clock of a client without heartbeats starts with its first unacknowledged
		// message.
		c.lastRead = c.l.now
	}
	c.codec.render(&c.batch, c.l.stream, c.next, n, batchBytes)
	c.off, c.resetAt = 0, -1
	if c.drawn && c.faults.reset {
		c.resetAt = int(c.faults.resetAt * float64(len(c.batch.buf)))
	}
	c.drawn = false
	c.ses.lat.sent(c.next, c.l.now)
	c.next += c.batch.n
	return true
}

// drained reports whether a drain forbids further messages. It allows those that an earlier connection
// has sent, which are resent.
func (c *conn) drained() bool { return c.l.draining.Load() && c.next >= c.ses.resendEnd }

// sendable is the number of messages that may be sent now.
func (c *conn) sendable() uint64 {
	unacked := c.next - c.ses.led.base
	n := min(c.ses.last+1-c.next, uint64(c.l.cfg.Window)-min(unacked, uint64(c.l.cfg.Window)), uint64(c.l.cfg.Batch))
	if c.l.draining.Load() {
		n = min(n, c.ses.resendEnd-c.next)
	}
	if n == 0 || c.ses.lat.period == 0 {
		return n
	}
	if from := max(c.ses.lat.due(c.next), c.pause); c.l.now < from {
		c.pumpAt(from)
		return 0
	}
	due := max(c.ses.lat.dueBy(c.l.now), c.next) - c.next + 1
	if due <= n {
		c.pause = c.l.now - c.l.now%pace + pace
	}
	return min(n, due)
}

// applyChaos draws the next batch's faults, once. It returns false if they delay or prevent the batch.
func (c *conn) applyChaos() bool {
	if !c.drawn {
		c.faults, c.drawn = c.l.cfg.Chaos.draw(c.ses.batchRNG), true
		if c.faults.stall {
			c.stalled = c.l.now + c.l.cfg.Chaos.Stall
		}
	}
	if c.l.now < c.stalled {
		c.pumpAt(c.stalled)
		return false
	}
	if c.faults.halfOpen {
		c.l.log.Info("chaos: half-open, sending nothing from now on", "client", c.name())
		c.silent = true
		c.l.suspend(c)
		return false
	}
	return true
}

// name is the client's name for the log: as it gave it at login, else its address.
func (c *conn) name() string {
	if c.ses != nil && c.ses.client != "" {
		return c.ses.client
	}
	return c.g.RemoteAddr().String()
}
