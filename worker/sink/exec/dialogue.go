package exec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"feedgate/worker"
)

const (
	// writeChunk is how many bytes are collected for one write to a child. The pipe may accept
	// them in pieces.
	writeChunk = 64 << 10
	// answerSize is the size of an answer, a u16be code.
	answerSize = 2
	// lastReadPoll is the interval of checks whether a child has read all its input, before
	// that is closed.
	lastReadPoll = 5 * time.Millisecond
)

// Faults of a child. Most often, it prints text to its standard output.
var (
	errUnasked = errors.New("it wrote to its standard output with no message unanswered; " +
		"does it print text to its standard output?")
	errEarly = errors.New("it answered a message that was not completely written to it; " +
		"does it print text to its standard output?")
)

// errCode is the fault of an answer that is no code of a handler.
type errCode worker.Code

func (e errCode) Error() string {
	return fmt.Sprintf("it answered %d, which is none of 0, 1, 2 and 1000 to 8191; "+
		"does it print text to its standard output?", uint16(e))
}

// feed writes messages to c, closes its input after the last one, and ends c.
func (h *executor) feed(c *child) {
	var buf []byte
	for {
		if buf = h.next(c, buf[:0]); len(buf) == 0 {
			break
		}
		// If the child does not read, this blocks until the input is closed.
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

// next waits for messages and returns their frames. It returns nothing if c gets no more, because c
// or the handler has ended, or in a drain everything was sent.
func (h *executor) next(c *child, dst []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.child == c && h.ctx.Err() == nil {
		// A byte too many would be taken for the beginning of the next answer. As long as
		// there is one, the child gets no message, until read has found the fault.
		unasked := h.queue.unsent() > 0 && c.out.written() > h.queue.answersDue()
		if h.queue.unsent() > 0 && !unasked {
			if h.queue.sent == 0 {
				h.worksSince = time.Now()
			}
			return h.queue.frame(dst, writeChunk)
		}
		if h.draining && !unasked {
			h.eof = true
			break
		}
		h.changed.Wait()
	}
	return nil
}

// awaitLastRead waits, in a drain, until the child has read all its input. After the input is
// closed, it is unknown how much of it a child that crashes has read.
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
	return h.eof && h.child == c && h.queue.sent > 0 && c.in.read() < h.queue.framed
}

// awaitRetry waits, in a drain, until a child whose input is closed has ended by itself; or until
// it has answered everything and a retry needs another child.
func (h *executor) awaitRetry(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.eof && h.child == c && h.ctx.Err() == nil && (h.queue.sent > 0 || h.queue.unsent() == 0) {
		h.changed.Wait()
	}
}

// read reads answers until the child's output ends. It returns a fault of the child.
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

// answer resolves messages, oldest first, with codes that were read together, up to the first
// fault. read may end with half a code. It resolves none
//
//   - if half a code is left without a message: then there is a byte too many somewhere, and
//     which codes it shifts is unknown;
//   - if a code is invalid and the command has not answered any message yet: then it is text.
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
	begun := min(count+half, h.queue.sent)
	written := h.queue.within(begun, c.in.accepted())
	n := min(valid, written)
	if half > 0 && written <= count {
		n = 0
	}
	h.resolve(n, code)
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

// resolve resolves the first n messages of the queue, the i-th with code(i). The lock is held.
func (h *executor) resolve(n int, code func(int) worker.Code) {
	for i := 0; i < n; {
		k := i + 1
		for k < n && code(k) == code(i) {
			k++
		}
		h.c.Resolve(h.queue.first+worker.ID(i), k-i, code(i))
		h.sink.cfg.Stats.Resolved(code(i), k-i)
		i = k
	}
	if n == 0 {
		return
	}
	h.answered()
	now := time.Now()
	h.c.ObserveCalls(now.Sub(h.worksSince)/time.Duration(n), n)
	h.worksSince = now
	h.queue.drop(n)
	if h.eof {
		h.changed.Broadcast()
	}
}

// answered records that the command works. The lock is held.
func (h *executor) answered() {
	h.down = nil
	if !h.sink.works.Load() {
		h.sink.works.Store(true)
	}
}
