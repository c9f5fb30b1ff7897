package exec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"feedgate/worker"
)

const (
	// writeChunk is how many bytes are gathered for one write to a child. Its pipe may
	// accept them in pieces.
	writeChunk = 64 << 10
	// answerSize is the size of an answer, a u16be code.
	answerSize = 2
	// lastReadPoll is how often, before its input is closed, a child is checked for having
	// read all of it.
	lastReadPoll = 5 * time.Millisecond
)

// Faults of a child. Unexpected answers are often text.
var (
	errUnasked = errors.New("it wrote to its standard output with no message unanswered; " +
		"does it print text to its standard output?")
	errEarly = errors.New("it answered a message that was not completely written to it; " +
		"does it print text to its standard output?")
)

// errCode is the fault of an answer that is not one of the codes.
type errCode worker.Code

func (e errCode) Error() string {
	return fmt.Sprintf("it answered %d, which is none of 0, 1, 2 and 1000 to 8191; "+
		"does it print text to its standard output?", uint16(e))
}

// feed is the feeder's life with child c: it writes messages to c, closes c's input after
// the last one, and ends c.
func (h *executor) feed(c *child) {
	var buf []byte
	for {
		if buf = h.next(c, buf[:0]); len(buf) == 0 {
			break
		}
		// A write to a child that does not read blocks, until the input is closed.
		if c.in.write(buf) != nil {
			break
		}
		if cap(buf) > 16*writeChunk {
			buf = nil
		}
	}
	h.awaitLastRead(c)
	c.in.close()
	h.awaitRetry(c)
	c.end(h.hurry)
}

// next waits for messages and returns them framed. It returns nothing when c gets no more:
// c or the handler has ended, or everything was sent in a drain.
func (h *executor) next(c *child, dst []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.child == c && h.ctx.Err() == nil {
		// A byte that no message has asked for would pass for the beginning of the next
		// one's answer. The reader finds the fault as soon as it has read that byte,
		// because the child gets nothing more until then.
		unasked := h.line.unsent() > 0 && c.out.written() > h.line.owed()
		if h.line.unsent() > 0 && !unasked {
			return h.line.frame(dst, writeChunk)
		}
		if h.draining && !unasked {
			h.eof = true
			break
		}
		h.changed.Wait()
	}
	return nil
}

// awaitLastRead waits, in the drain, until the child has read all of its input. Once the
// input is closed, nothing shows how much of it a child that dies has read.
func (h *executor) awaitLastRead(c *child) {
	poll := time.NewTicker(lastReadPoll)
	defer poll.Stop()
	for h.awaitsLastRead(c) {
		select {
		case <-poll.C:
		case <-c.exited:
			return
		case <-h.ctx.Done():
			return
		}
	}
}

func (h *executor) awaitsLastRead(c *child) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.eof && h.child == c && h.line.sent > 0 && c.in.read() < h.line.framed
}

// awaitRetry lets a child whose input was closed in the drain end by itself, unless it has
// answered everything and a retry waits for its successor.
func (h *executor) awaitRetry(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.eof && h.child == c && h.ctx.Err() == nil && (h.line.sent > 0 || h.line.unsent() == 0) {
		h.changed.Wait()
	}
}

// read reads answers until the child's output ends. An error is a fault of the child.
func (h *executor) read(c *child) error {
	buf := make([]byte, 8<<10)
	n := 0
	for {
		k, readErr := c.out.Read(buf[n:])
		n += k
		if k > 0 {
			if err := h.answer(c, buf[:n]); err != nil {
				return err
			}
			n = copy(buf, buf[n-n%answerSize:n])
		}
		if readErr != nil {
			return nil // the end, or the deadline that reap or release has set
		}
	}
}

// answer completes messages, oldest first, with codes that were read together, up to the
// first fault. read may end with half a code. None counts
//
//   - if half a code is left with no message for it: where in read the additional byte is,
//     and so which codes are shifted by it, cannot be known;
//   - if one code is invalid and the command has not answered a message yet: it is text.
func (h *executor) answer(c *child, read []byte) error {
	count := len(read) / answerSize
	half := len(read) % answerSize
	code := func(i int) worker.Code {
		return worker.Code(binary.BigEndian.Uint16(read[i*answerSize:]))
	}
	valid := 0
	for valid < count && code(valid).ForHandlers() {
		valid++
	}
	if valid < count && !h.sink.works.Load() {
		return errCode(code(valid))
	}
	defer h.c.Flush()
	h.mu.Lock()
	defer h.mu.Unlock()
	begun := min(count+half, h.line.sent)
	written := h.line.within(begun, c.in.accepted())
	n := min(valid, written)
	if half > 0 && written <= count {
		n = 0
	}
	h.complete(n, code)
	switch {
	case valid < count && valid <= written:
		return errCode(code(valid))
	case written < begun:
		return errEarly
	case written < count+half:
		return errUnasked
	}
	return nil
}

// complete completes the first n messages in line, the i-th with code(i). The lock is held.
func (h *executor) complete(n int, code func(int) worker.Code) {
	for i := 0; i < n; {
		k := i + 1
		for k < n && code(k) == code(i) {
			k++
		}
		h.c.Resolve(h.line.first+worker.ID(i), k-i, code(i))
		i = k
	}
	if n == 0 {
		return
	}
	h.answered()
	h.line.drop(n)
	if h.eof {
		h.changed.Broadcast()
	}
}

// answered notes that the command works. The lock is held.
func (h *executor) answered() {
	h.down = nil
	if !h.sink.works.Load() {
		h.sink.works.Store(true)
	}
}
