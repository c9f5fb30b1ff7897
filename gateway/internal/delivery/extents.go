package delivery

import "sort"

// extent maps consecutive slots, from slot up to the next extent's, to consecutive sequence numbers
// from seq.
type extent struct {
	slot      uint64
	seq       uint64
	late      bool // fills a gap: higher numbers arrived earlier
	abandoned bool // its session or connection has ended: never acked
}

// extents maps the slots of the window to sequence numbers and back. Each break in the numbers
// starts a new extent, so there is nearly always just one. But a server that omits every other
// number causes one per message in flight: work per message or ack must not be linear in them.
type extents struct {
	list []extent // by slot; the tail of all
	all  []extent // the whole allocation: dropped extents, then list
	hint int      // index where the last search ended
	late int      // late extents in list that are not abandoned
	low  uint64   // highest number retired in order; 0: none
}

// append adds messages at the end, starting with slot, with consecutive numbers starting with seq.
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
	if len(e.list) == cap(e.list) { // append copies list alone, without the dropped extents
		e.list = append(e.list, x)
		e.all = e.list
		return
	}
	e.list = append(e.list, x)
	e.all = e.all[:len(e.all)+1]
}

// abandon marks all extents abandoned. The next append starts a new one.
func (e *extents) abandon() {
	for i := range e.list {
		e.list[i].abandoned = true
	}
	e.low, e.late = 0, 0
}

// eachAbandoned calls f with the abandoned slots in [base, next).
func (e *extents) eachAbandoned(base, next uint64, f func(slot, n uint64)) {
	for i := range e.list {
		from, end := max(e.list[i].slot, base), e.endOf(i, next)
		if e.list[i].abandoned && from < end {
			f(from, end-from)
		}
	}
}

// eachIn calls f with the slots in [base, next) whose numbers belong to the current session and are
// in the range in.
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

// eachLate calls f with the slots in [base, next) of late messages with numbers up to seq.
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

// endOf returns the first slot after the i-th extent; next is the end of the window.
func (e *extents) endOf(i int, next uint64) uint64 {
	if i+1 < len(e.list) {
		return e.list[i+1].slot
	}
	return next
}

// dropBelow drops the extents that are entirely below base and updates low.
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

// drop drops the first n extents. The remaining ones move to the front of the allocation once they
// are no more than the dropped ones, so the amortized cost of a drop is one move.
func (e *extents) drop(n int) {
	e.list = e.list[n:]
	e.hint = max(e.hint-n, 0)
	if left := len(e.list); n > 0 && left <= len(e.all)-left {
		copy(e.all, e.list)
		e.all = e.all[:left]
		e.list = e.all
	}
}

// at returns the extent that holds slot, and how many of its slots start there, at most n.
func (e *extents) at(slot uint64, n int) (x *extent, length int) {
	i := e.find(slot)
	x = &e.list[i]
	if i+1 < len(e.list) {
		n = int(min(uint64(n), e.list[i+1].slot-slot))
	}
	return x, n
}

// find returns the index of the extent that holds slot. It tries the last one found and the one
// after it before it searches.
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

// slot returns the slot in [base, next) of a sequence number of the current session.
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

// watermark returns the highest number up to which every message of the session has left the window:
// a server need not redeliver those.
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
