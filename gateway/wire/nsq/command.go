package nsq

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"feedgate/worker"
)

// Commands of a consumer, each up to its end or its first parameter.
const (
	magic       = "  V2"
	cmdIdentify = "IDENTIFY\n"
	cmdAuth     = "AUTH\n"
	cmdSub      = "SUB "
	cmdReady    = "RDY "
	cmdFin      = "FIN "
	cmdRequeue  = "REQ "
	cmdTouch    = "TOUCH "
	cmdNop      = "NOP\n"
	cmdStop     = "CLS\n"
)

// requeueMax is the longest delay of a REQ. nsqd's own limit, --max-req-timeout, is an hour by
// default.
const requeueMax = 15 * time.Minute

const (
	finSize = len(cmdFin) + idSize + 1
	// requeueSize is the longest REQ, in bytes: with a delay of six digits.
	requeueSize = len(cmdRequeue) + idSize + 1 + 6 + 1
)

// appendBody appends the body of a command, behind its length.
func appendBody(dst, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(body))), body...)
}

func appendReady(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(append(dst, cmdReady...), n, 10), '\n')
}

func appendTouch(dst []byte, id *messageID) []byte {
	return append(append(append(dst, cmdTouch...), id[:]...), '\n')
}

// AppendAcks appends FIN for messages that are done or dead-lettered, and REQ for others.
func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	c.sent = true
	c.flight.resolve(seq, n)
	if code == worker.OK || code == worker.DeadLettered {
		return c.appendFins(dst, seq, n)
	}
	return c.appendRequeues(dst, seq, n)
}

func (c *conn) appendFins(dst []byte, seq uint64, n int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, n*finSize)[:at+n*finSize]
	ids, mask := c.flight.ids, c.flight.mask
	for b := dst[at:]; len(b) >= finSize; b = b[finSize:] {
		f := (*[finSize]byte)(b)
		copy(f[:], cmdFin)
		copy(f[len(cmdFin):], ids[seq&mask][:])
		f[finSize-1] = '\n'
		seq++
	}
	return dst
}

func (c *conn) appendRequeues(dst []byte, seq uint64, n int) []byte {
	dst = slices.Grow(dst, n*requeueSize)
	for ; n > 0; n-- {
		at := seq & c.flight.mask
		dst = append(dst, cmdRequeue...)
		dst = append(dst, c.flight.ids[at][:]...)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, c.p.delay(c.flight.attempts[at]).Milliseconds(), 10)
		dst = append(dst, '\n')
		seq++
	}
	return dst
}

// delay returns how long to requeue a message refused at the given attempt.
func (p *protocol) delay(attempts uint16) time.Duration {
	d := min(p.cfg.RequeueMin, requeueMax)
	for ; attempts > 1 && d > 0 && d < requeueMax; attempts-- {
		d = min(2*d, requeueMax)
	}
	return d
}

// AppendStop implements [wire.Conn]. nsqd answers CLOSE_WAIT, after which it sends no messages.
func (c *conn) AppendStop(dst []byte) []byte {
	if c.phase != open || c.stopped {
		return dst
	}
	c.stopped, c.sent = true, true
	return append(dst, cmdStop...)
}
