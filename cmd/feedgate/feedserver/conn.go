package feedserver

import (
	"time"

	"github.com/panjf2000/gnet/v2"
)

const (
	// batchBytes is how much is rendered and written at once, but for a single
	// message that is longer.
	batchBytes = 256 << 10
	// turnBytes is how much one connection may write before the others, and what
	// has arrived, get their turn.
	turnBytes = 256 << 10
	// maxReplies bounds what a client that does not read can make the feed owe it.
	maxReplies = 64 << 10
	// pace is the grid of time on which batches go out at a rate: what falls due
	// between two of its points goes out at the next, or a high rate would be a write
	// a message. What falls due more seldom goes out when it is due.
	//
	// Latency counts from when a message was due, so about half of pace stands in
	// everybody's median. Points closer together cost more than they give: a batch
	// wakes threads three times (the watch for the timer, the loop for the batch, the
	// loop for the acks), at about 20 µs of processor time each on a virtual machine.
	// Measured on one of 2 cores, at 10,000 to 200,000 messages a second, median and
	// share of a core: with 100 µs, 80 to 150 µs and 0.5; with 50 µs up to a fifth less
	// and 0.6; with 20 µs nothing less, as wake-ups take longer than that; with a pause of
	// 200 µs behind each batch, 190 to 220 µs and 0.4. It is a grid and no pause,
	// because a wake-up comes 60 µs late, and that would be added to each pause.
	pace = 100 * time.Microsecond
)

// connState is how far a connection has come.
type connState uint8

const (
	stateLogin   connState = iota // has no session yet
	stateRunning                  // has a session
	stateClosing                  // all is said: the sending side is closed, the peer's end awaited
)

// conn is one connection, owned by the loop. Its send queue is what its client's
// TCP window leaves of one batch, with the replies that wait for the batch's end:
// a frame never enters a batch that is partly sent.
type conn struct {
	l     *loop
	g     gnet.Conn
	fd    int
	sec   *secure // nil: not under TLS
	codec codec
	ses   *session // nil before login, and once it has been taken away
	state connState

	replies []byte
	batch   batch
	off     int    // of the batch, sent
	next    uint64 // message to render next
	blocked bool   // the socket is full; the watch will report it
	queued  bool   // in l.again

	rolled  bool // fate is the next batch's
	fate    mishap
	resetAt int           // offset in the batch; -1: none
	stalled time.Duration // until then nothing is sent, by chaos
	pause   time.Duration // until then nothing is sent, for the rate
	resume  time.Duration // when pump is due; 0: not by time

	lastRead, nextPing time.Duration
	pings              uint64
	deadline           time.Duration // of stateClosing

	inHandler bool // in a call from gnet that ends with an Action
	killed    bool // to be closed, or closed
	shut      bool // the sending side is closed
	deaf      bool // what arrives is of no interest any more
	silent    bool // half-open by chaos
	peerDone  bool // the client wants no more
}

// pump writes what there is to write until the socket is full, nothing may be
// sent, or the turn is over.
func (c *conn) pump() {
	if c.blocked || c.silent || c.killed {
		return
	}
	c.resume = 0
	for begun := c.l.written; ; {
		if err := c.flush(); err != nil {
			c.l.log.Info("writing failed", "client", c.name(), "error", err)
			c.kill()
		}
		if c.blocked || c.killed {
			return
		}
		if c.l.written-begun >= turnBytes {
			c.l.later(c)
			return
		}
		if !c.fill() && !c.conclude() {
			return
		}
	}
}

// flush writes the batch and the replies as far as the socket takes them.
func (c *conn) flush() error {
	if c.sec != nil {
		full, err := c.sec.flush()
		if err != nil {
			return err
		}
		c.blocked = full
	}
	for !c.blocked && !c.killed {
		inside := c.off > 0 && c.off < len(c.batch.buf)
		switch {
		case len(c.replies) > 0 && !inside:
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

// write writes p to the socket, or by way of TLS, as [writeSocket] does.
func (c *conn) write(p []byte) (n int, full bool, err error) {
	if c.sec != nil {
		return c.sec.write(p)
	}
	return writeSocket(c.fd, p)
}

// piece is the length of the next write to the socket out of n bytes.
func (c *conn) piece(n int) int {
	if c.ses == nil {
		return n
	}
	return c.l.cfg.Chaos.piece(n, c.ses.splitDice)
}

// sent notes that the socket took n more bytes of the batch.
func (c *conn) sent(n int) {
	c.off += n
	c.l.written += n
	c.ses.bytes += uint64(n)
	c.ses.hand(c.batch.behind(c.off), c.l.now)
}

// fill renders the next batch. It returns false when nothing may be sent now.
func (c *conn) fill() bool {
	if c.state != stateRunning || c.peerDone || c.shut || c.drained() {
		return false
	}
	c.l.look()
	c.ses.expire(c.l.now)
	n := c.room()
	if n == 0 || c.l.cfg.Chaos.any() && !c.dare() {
		return false
	}
	if c.next == c.ses.led.base && !c.l.traits.pings {
		// The alive clock of a client without heartbeats starts with the first
		// message that it owes an ack.
		c.lastRead = c.l.now
	}
	c.codec.render(&c.batch, c.l.stream, c.next, n, batchBytes)
	c.off, c.resetAt = 0, -1
	if c.rolled && c.fate.reset {
		c.resetAt = int(c.fate.at * float64(len(c.batch.buf)))
	}
	c.rolled = false
	c.ses.lat.sent(c.next, c.l.now)
	c.next += c.batch.n
	return true
}

// drained says whether, with the end near, nothing more is to be sent: what an
// earlier connection sent and lost is sent again all the same.
func (c *conn) drained() bool { return c.l.draining.Load() && c.next >= c.ses.resendEnd }

// room is how many messages may be sent now.
func (c *conn) room() uint64 {
	open := c.next - c.ses.led.base
	n := min(c.ses.last+1-c.next, uint64(c.l.cfg.Window)-min(open, uint64(c.l.cfg.Window)), uint64(c.l.cfg.Batch))
	if c.l.draining.Load() {
		n = min(n, c.ses.resendEnd-c.next)
	}
	if n == 0 || c.ses.lat.period == 0 {
		return n
	}
	if from := max(c.ses.lat.due(c.next), c.pause); c.l.now < from {
		c.resumeAt(from)
		return 0
	}
	due := max(c.ses.lat.dueBy(c.l.now), c.next) - c.next + 1
	if due <= n {
		c.pause = c.l.now - c.l.now%pace + pace
	}
	return min(n, due)
}

// dare decides the next batch's fate. It returns false when it cannot be sent
// now, or ever.
func (c *conn) dare() bool {
	if !c.rolled {
		c.fate, c.rolled = c.l.cfg.Chaos.roll(c.ses.batchDice), true
		if c.fate.stall {
			c.stalled = c.l.now + c.l.cfg.Chaos.Stall
		}
	}
	if c.l.now < c.stalled {
		c.resumeAt(c.stalled)
		return false
	}
	if c.fate.halfOpen {
		c.l.log.Info("chaos: going silent", "client", c.name())
		c.silent = true
		c.l.lose(c)
		return false
	}
	return true
}

func (c *conn) name() string {
	if c.ses != nil && c.ses.client != "" {
		return c.ses.client
	}
	return c.g.RemoteAddr().String()
}
