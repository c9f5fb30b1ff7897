package wire

import "time"

// Heartbeat is the clock of what a Conn sends at an interval, such as a ping.
type Heartbeat struct {
	Interval time.Duration // 0: nothing is sent

	armed bool          // next is set
	next  time.Duration // when it is due
}

// Due reports whether one is due at now, and when to ask again; zero: never. The first
// interval begins with the first call.
func (h *Heartbeat) Due(now time.Duration) (due bool, next time.Duration) {
	if h.Interval == 0 {
		return false, 0
	}
	if h.armed && now < h.next {
		return false, h.next
	}
	due, h.armed = h.armed, true
	// From due time to due time, so that late calls do not add up, unless one was
	// later than a whole interval.
	if h.next += h.Interval; !due || h.next <= now {
		h.next = now + h.Interval
	}
	return due, h.next
}
