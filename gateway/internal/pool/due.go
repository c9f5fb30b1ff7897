package pool

import "time"

// dueTry is a message that waits for its next try.
type dueTry struct {
	desc Desc
	at   time.Duration // when it is due, on the clock of Worker.now
}

// dueHeap is a binary heap with the earliest first. container/heap would allocate for each message.
//
// Invariant: h[(i-1)/2].at <= h[i].at for all i > 0.
type dueHeap []dueTry

func (h *dueHeap) push(t dueTry) {
	list := append(*h, t)
	*h = list
	for i := len(list) - 1; i > 0; {
		up := (i - 1) / 2
		if list[up].at <= list[i].at {
			return
		}
		list[up], list[i] = list[i], list[up]
		i = up
	}
}

// pop removes the earliest; the heap must not be empty.
func (h *dueHeap) pop() dueTry {
	first, last := (*h)[0], len(*h)-1
	list := (*h)[:last]
	*h = list
	if last == 0 {
		return first
	}
	list[0] = list[:last+1][last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && list[down+1].at < list[down].at {
			down++
		}
		if list[i].at <= list[down].at {
			return first
		}
		list[down], list[i] = list[i], list[down]
		i = down
	}
}
