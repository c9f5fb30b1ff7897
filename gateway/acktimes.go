package gateway

import "time"

// maxAckTimes is the most times that ackTimes keeps: as many seconds, so that it covers --write-timeout.
const maxAckTimes = 1024

// ackTimes records when bytes were sent that the kernel has not transmitted yet, about once a second.
type ackTimes struct{ all []ackTime }

// ackTime: all bytes up to the offset end were sent by then.
type ackTime struct {
	end  uint64
	when time.Duration
}

// add records that all bytes up to end are sent now. A full list keeps the older times.
func (a *ackTimes) add(now time.Duration, end uint64) {
	if n := len(a.all); n < maxAckTimes && (n == 0 || a.all[n-1].end < end) {
		a.all = append(a.all, ackTime{end, now})
	}
}

// transmitted removes the times of bytes up to an offset, which are transmitted.
func (a *ackTimes) transmitted(end uint64) {
	n := 0
	for n < len(a.all) && a.all[n].end <= end {
		n++
	}
	a.all = a.all[:copy(a.all, a.all[n:])]
}

// oldest returns by when the oldest byte that is not transmitted was sent; ok is false if that is not known.
func (a *ackTimes) oldest() (when time.Duration, ok bool) {
	if len(a.all) == 0 {
		return 0, false
	}
	return a.all[0].when, true
}

// reset forgets all.
func (a *ackTimes) reset() { a.all = a.all[:0] }
