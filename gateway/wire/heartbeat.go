package wire

import "time"

// Heartbeat schedules what a Conn sends at an interval, such as a ping.
type Heartbeat struct {
	Interval time.Duration // 0: nothing is sent

	armed bool          // next is set
	next  time.Duration // when it is due
}

// Due reports whether a heartbeat is due at now, and when to call it next; 0: never. The first
// interval begins with the first call.
func (h *Heartbeat) Due(now time.Duration) (due bool, next time.Duration) {
	if h.Interval == 0 {
		return false, 0
	}
	if h.armed && now < h.next {
		return false, h.next
	}
	due, h.armed = h.armed, true
	// From one due time to the next, so that late calls do not add up, unless a call was late by
	// more than an interval.
	if h.next += h.Interval; !due || h.next <= now {
		h.next = now + h.Interval
	}
	return due, h.next
}
