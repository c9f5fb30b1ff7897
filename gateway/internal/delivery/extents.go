package delivery

import "sort"

// extent maps the slots from slot on, up to the next extent's, to consecutive sequence
// numbers from seq on.
type extent struct {
	slot      uint64
	seq       uint64
	late      bool // fills a gap: its numbers are below ones that came before
	abandoned bool // of a session or connection that is over: never acked
}

// extents maps the slots of the window to sequence numbers and back. There is one for each
// break in the numbers, so nearly always one in all. A server that leaves out every second
// number makes one for each message in flight, so nothing that is done for each message or ack
// may take time in proportion to them.
type extents struct {
	list []extent // by slot; the end of all
	all  []extent // from the beginning of its memory: what was dropped, and list
	hint int      // where the last search ended
	late int      // late extents in list that are not abandoned
	low  uint64   // last sequence number, in order, below the window; 0: none
}

// append adds messages at the end, from slot on, with consecutive numbers from seq on.
func (e *extents) append(slot, seq uint64, late bool) {
	if n := len(e.list); n > 0 {
		last := &e.list[n-1]
		if !last.abandoned && last.late == late && last.seq+(slot-last.slot) == seq {
			return
		}
	}
	if late {
		e.late++
	}
	x := extent{slot: slot, seq: seq, late: late}
	if len(e.list) == cap(e.list) { // it moves, and what is gone stays behind
		e.list = append(e.list, x)
		e.all = e.list
		return
	}
	e.list = append(e.list, x)
	e.all = e.all[:len(e.all)+1]
}

// abandon marks all extents abandoned; what is appended next starts a new one.
func (e *extents) abandon() {
	for i := range e.list {
		e.list[i].abandoned = true
	}
	e.low, e.late = 0, 0
}

// eachAbandoned calls f with the slots in [base, next) whose acks were given up.
func (e *extents) eachAbandoned(base, next uint64, f func(slot, n uint64)) {
	for i := range e.list {
		from, end := max(e.list[i].slot, base), e.endOf(i, next)
		if e.list[i].abandoned && from < end {
			f(from, end-from)
		}
	}
}

// eachIn calls f with the slots in [base, next) that hold numbers of the living
// session that are in the range in.
func (e *extents) eachIn(in Range, base, next uint64, f func(slot, n uint64)) {
	for i := range e.list {
		x := &e.list[i]
		from, end := max(x.slot, base), e.endOf(i, next)
		if x.abandoned || from >= end {
			continue
		}
		first, last := x.seq+(from-x.slot), x.seq+(end-x.slot)-1
		if lo, hi := max(first, in.First), min(last, in.Last); lo <= hi {
			f(x.slot+(lo-x.seq), hi-lo+1)
		}
	}
}

// eachLate calls f with the slots in [base, next) of messages that filled gaps,
// with numbers up to seq.
func (e *extents) eachLate(seq, base, next uint64, f func(slot, n uint64)) {
	if e.late == 0 {
		return
	}
	for i := range e.list {
		x := &e.list[i]
		from, end := max(x.slot, base), e.endOf(i, next)
		if !x.late || x.abandoned || from >= end || x.seq+(from-x.slot) > seq {
			continue
		}
		f(from, min(end-from, seq-(x.seq+(from-x.slot))+1))
	}
}

// endOf is the slot behind the i-th extent, the window ending at next.
func (e *extents) endOf(i int, next uint64) uint64 {
	if i+1 < len(e.list) {
		return e.list[i+1].slot
	}
	return next
}

// dropBelow drops the extents that lie below base whole, and records the last sequence
// number below it.
func (e *extents) dropBelow(base uint64) {
	drop := 0
	for i := range e.list {
		x := &e.list[i]
		if x.slot >= base {
			break
		}
		end := min(base, e.endOf(i, base))
		if !x.late && !x.abandoned {
			e.low = x.seq + (end - x.slot) - 1
		}
		if i+1 < len(e.list) && e.list[i+1].slot <= base {
			drop = i + 1
		}
	}
	for _, x := range e.list[:drop] {
		if x.late && !x.abandoned {
			e.late--
		}
	}
	e.drop(drop)
}

// drop drops the first n extents. Those left move to the front only when at least as many are
// gone, so each drop moves one at most, over time.
func (e *extents) drop(n int) {
	e.list = e.list[n:]
	e.hint = max(e.hint-n, 0)
	if left := len(e.list); n > 0 && left <= len(e.all)-left {
		copy(e.all, e.list)
		e.all = e.all[:left]
		e.list = e.all
	}
}

// at returns the extent that holds slot, and how many of its slots follow from slot on, at
// most n.
func (e *extents) at(slot uint64, n int) (x *extent, length int) {
	i := e.find(slot)
	x = &e.list[i]
	if i+1 < len(e.list) {
		n = int(min(uint64(n), e.list[i+1].slot-slot))
	}
	return x, n
}

// find finds the extent that holds slot: the one of last time, the next one, or any.
func (e *extents) find(slot uint64) int {
	i := min(e.hint, len(e.list)-1)
	if e.list[i].slot <= slot && slot >= e.endOf(i, slot+1) {
		i++
	}
	if e.list[i].slot > slot || slot >= e.endOf(i, slot+1) {
		i = sort.Search(len(e.list), func(i int) bool { return e.list[i].slot > slot }) - 1
	}
	e.hint = i
	return i
}

// slot finds the slot of a sequence number of the living session among the
// slots in [base, next).
func (e *extents) slot(seq, base, next uint64) (uint64, bool) {
	for k := range e.list {
		i := (e.hint + k) % len(e.list)
		x := &e.list[i]
		end := e.endOf(i, next)
		if x.abandoned || seq < x.seq || seq-x.seq >= end-x.slot {
			continue
		}
		e.hint = i
		p := x.slot + (seq - x.seq)
		return p, p >= base
	}
	return 0, false
}

// watermark is the highest sequence number up to which every message of the
// session is below the window: what a server need not send again.
func (e *extents) watermark(base, next uint64) uint64 {
	mark := e.low
	if e.late == 0 {
		return mark
	}
	for i := range e.list {
		x := &e.list[i]
		if !x.late || x.abandoned {
			continue
		}
		first, end := max(x.slot, base), e.endOf(i, next)
		if first < end {
			mark = min(mark, max(x.seq+(first-x.slot), 1)-1)
		}
	}
	return mark
}
