package delivery

import "time"

// read is one read of the socket and the messages in it.
type read struct {
	end  uint64 // first slot after its messages
	when time.Duration
}

// Read records that the messages added since the last call were read at when. It returns false if
// none were added.
func (t *Tracker) Read(when time.Duration) bool {
	if t.readTo == t.win.next {
		return false
	}
	t.readTo = t.win.next
	if t.reads.len() > 0 && t.reads.last().when == when {
		t.reads.last().end = t.win.next
		return true
	}
	t.reads.push(read{t.win.next, when})
	return true
}

// NextAcked returns the time of the oldest read whose messages are all done and acked, and forgets
// that read. ok is false if there is none.
func (t *Tracker) NextAcked() (when time.Duration, ok bool) {
	if t.reads.len() == 0 || t.reads.first().end > t.win.base {
		return 0, false
	}
	when = t.reads.first().when
	t.reads.pop()
	return when, true
}

// Oldest returns when the oldest message that is not done and acked was read. ok is false if there is none.
func (t *Tracker) Oldest() (when time.Duration, ok bool) {
	if t.reads.len() == 0 || t.win.base == t.win.next {
		return 0, false
	}
	return t.reads.first().when, true
}
