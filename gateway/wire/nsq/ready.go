package nsq

import "feedgate/gateway/wire"

// meanOver is how many messages the average length is of, more or less.
const meanOver = 64

// wanted is the RDY count to ask for.
func (c *conn) wanted() int64 {
	n := min(int64(c.p.cfg.Ready()), c.server.maxReady)
	if c.mean > 0 && c.p.cfg.Memory > 0 {
		n = min(n, c.p.cfg.Memory/c.mean)
	}
	return max(1, n)
}

// weigh takes the length of the next n messages, and asks for fewer at once where they
// are much longer than those before: nsqd sends on meanwhile.
func (c *conn) weigh(n, bytes int, in *wire.Input) {
	mean := int64(bytes / n)
	if c.mean > 0 {
		mean = c.mean + (mean-c.mean)*int64(min(n, meanOver))/meanOver
	}
	c.mean = mean
	if c.phase == open && !c.stopped && c.wanted() < c.ready-c.ready/8 {
		in.Out = c.adjust(in.Out)
	}
}

// adjust appends RDY where another count is wanted. Of the average length only what
// changes it by an eighth counts, or it would be said again and again.
func (c *conn) adjust(dst []byte) []byte {
	if c.phase != open || c.stopped {
		return dst
	}
	n := c.wanted()
	near := n > c.ready-c.ready/8 && n < c.ready+c.ready/8
	if n == c.ready || near && c.bound() {
		return dst
	}
	c.ready, c.said = n, true
	return appendReady(dst, n)
}

// bound reports whether the length of messages bounds what is wanted.
func (c *conn) bound() bool {
	return c.mean > 0 && c.p.cfg.Memory > 0 && c.p.cfg.Memory/c.mean < min(int64(c.p.cfg.Ready()), c.server.maxReady)
}
