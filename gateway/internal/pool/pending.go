package pool

import "feedgate/worker"

// pendingTable holds the descriptors of messages that a handler has put off, by
// ID. It is the worker's own. Where more than the in-flight limit lie from the oldest open
// ID to the newest, the worker takes no more (Worker.room, Worker.retryRoom); a drain adds what
// is left in the ring. The table doubles as far as it must: 25 bytes for each ID.
type pendingTable struct {
	descs []Desc // by ID & (len-1)
	state []bool // whether the slot is open
	next  worker.ID
	low   worker.ID // no ID below is open
	count int
}

const pendingTableMin = 1024

func (t *pendingTable) add(r run) worker.ID {
	first := t.next
	for i := range r.spans {
		if t.span() == len(t.descs) {
			t.grow()
		}
		at := int(t.next) & (len(t.descs) - 1)
		t.descs[at], t.state[at] = r.at(i), true
		t.next++
	}
	t.count += len(r.spans)
	return first
}

func (t *pendingTable) grow() {
	size := max(pendingTableMin, 2*len(t.descs))
	descs, state := make([]Desc, size), make([]bool, size)
	for k := t.low; k < t.next; k++ {
		from, to := int(k)&(len(t.descs)-1), int(k)&(size-1)
		descs[to], state[to] = t.descs[from], t.state[from]
	}
	t.descs, t.state = descs, state
}

// span is how many tickets there are from the oldest open one to the newest.
func (t *pendingTable) span() int { return int(t.next - t.low) }

// take closes a ID and returns its descriptor; false when it is not open,
// which a handler that completes twice brings about.
func (t *pendingTable) take(k worker.ID) (Desc, bool) {
	if k < t.low || k >= t.next {
		return Desc{}, false
	}
	at := int(k) & (len(t.descs) - 1)
	if !t.state[at] {
		return Desc{}, false
	}
	t.state[at] = false
	t.count--
	d := t.descs[at]
	for t.low < t.next && !t.state[int(t.low)&(len(t.state)-1)] {
		t.low++
	}
	return d, true
}
