package nsq

import "feedgate/gateway/wire"

// meanOver is roughly how many messages the average length covers.
const meanOver = 64

// wantedReady returns the RDY count to request.
func (c *conn) wantedReady() int64 {
	n := min(int64(c.p.cfg.Ready()), c.server.maxReady)
	if c.mean > 0 && c.p.cfg.Memory > 0 {
		n = min(n, c.p.cfg.Memory/c.mean)
	}
	return max(1, n)
}

// updateMean updates the average length with n messages of bytes in all. If they are much longer
// than those before, it lowers RDY at once, because nsqd keeps sending.
func (c *conn) updateMean(n, bytes int, in *wire.Input) {
	mean := int64(bytes / n)
	if c.mean > 0 {
		mean = c.mean + (mean-c.mean)*int64(min(n, meanOver))/meanOver
	}
	c.mean = mean
	if c.phase == open && !c.stopped && c.wantedReady() < c.ready-c.ready/8 {
		in.Out = c.updateReady(in.Out)
	}
}

// updateReady appends RDY if the count has changed. If the average length limits the count,
// changes of less than an eighth are ignored; otherwise RDY would be sent again and again.
func (c *conn) updateReady(dst []byte) []byte {
	if c.phase != open || c.stopped {
		return dst
	}
	n := c.wantedReady()
	near := n > c.ready-c.ready/8 && n < c.ready+c.ready/8
	if n == c.ready || near && c.memoryBound() {
		return dst
	}
	c.ready, c.sent = n, true
	return appendReady(dst, n)
}

// memoryBound reports whether the length of messages limits the RDY count.
func (c *conn) memoryBound() bool {
	return c.mean > 0 && c.p.cfg.Memory > 0 && c.p.cfg.Memory/c.mean < min(int64(c.p.cfg.Ready()), c.server.maxReady)
}
