package delivery

import "time"

// read is the messages of one read: the slot behind them, and when it was.
type read struct {
	end  uint64
	when time.Duration
}

// Read records that the messages added since the last call came with the read at when;
// false: there are none.
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

// NextAcked returns when the next read was of which every message is done and acked; false
// when there is none.
func (t *Tracker) NextAcked() (when time.Duration, ok bool) {
	if t.reads.len() == 0 || t.reads.first().end > t.win.base {
		return 0, false
	}
	when = t.reads.first().when
	t.reads.pop()
	return when, true
}
