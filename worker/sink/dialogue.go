package sink

import (
	"encoding/binary"
	"errors"

	"feedgate/worker"
)

const (
	// writeChunk is how many bytes are gathered for one write to a child; its pipe
	// need not take them at once.
	writeChunk = 64 << 10
	// answerSize is the size of an answer, a u16be code.
	answerSize = 2
)

var errUnasked = errors.New("answered without a message")

// feed is the feeder, from the start of c to its end: it writes messages to it,
// closes its input behind the last one, and ends it when it is of no more use.
func (h *executor) feed(c *child) {
	var buf []byte
	for {
		if buf = h.next(c, buf[:0]); len(buf) == 0 {
			break
		}
		// A write to a child that does not read blocks, until reap or end closes
		// the pipe.
		if _, err := c.in.Write(buf); err != nil {
			break
		}
		if cap(buf) > 16*writeChunk {
			buf = nil
		}
	}
	c.in.Close()
	h.awaitRetry(c)
	c.end()
}

// next waits for messages and returns them framed. Nothing when there will be no
// more for c: it has ended, or the handler has, or the drain is at the last.
func (h *executor) next(c *child, dst []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.child == c && h.ctx.Err() == nil {
		if h.line.unsent() > 0 {
			return h.line.frame(dst, writeChunk)
		}
		if h.draining {
			h.eof = true
			break
		}
		h.changed.Wait()
	}
	return nil
}

// awaitRetry leaves a child whose input was closed in the drain to end by itself,
// unless it has answered all and a retry waits for its successor.
func (h *executor) awaitRetry(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.eof && h.child == c && h.ctx.Err() == nil && (h.line.sent > 0 || h.line.unsent() == 0) {
		h.changed.Wait()
	}
}

// read reads answers until the child's output ends. An error is the child's
// fault.
func (h *executor) read(c *child) (answered bool, err error) {
	buf := make([]byte, 8<<10)
	n := 0
	for {
		k, readErr := c.out.Read(buf[n:])
		n += k
		whole := n - n%answerSize
		if whole > 0 {
			asked, err := h.answer(buf[:whole])
			answered = answered || asked
			if err != nil {
				return answered, err
			}
			n = copy(buf, buf[whole:n])
		}
		if readErr != nil {
			// The end, or the deadline that reap has set.
			return answered, nil
		}
	}
}

// answer completes messages, the first in line first, with the codes.
func (h *executor) answer(codes []byte) (asked bool, err error) {
	defer h.c.Flush()
	h.mu.Lock()
	defer h.mu.Unlock()
	code := func(i int) worker.Code {
		return worker.Code(binary.BigEndian.Uint16(codes[i*answerSize:]))
	}
	n := min(len(codes)/answerSize, h.line.sent)
	for i := 0; i < n; {
		k := i + 1
		for k < n && code(k) == code(i) {
			k++
		}
		h.c.Done(h.line.first+worker.Ticket(i), k-i, code(i))
		i = k
	}
	if n > 0 {
		h.line.drop(n)
		if h.eof {
			h.changed.Broadcast()
		}
	}
	if n < len(codes)/answerSize {
		return n > 0, errUnasked
	}
	return n > 0, nil
}
