package worker

// openTable holds the descriptors of messages that a handler has put off, by
// ticket. It is the worker's own. Where more than the in-flight limit lie from the oldest open
// ticket to the newest, the worker takes no more (Worker.room, Worker.retryRoom); a drain adds what
// is left in the ring. The table doubles as far as it must: 25 bytes for each ticket.
type openTable struct {
	descs []Desc // by ticket & (len-1)
	state []bool // whether the slot is open
	next  Ticket
	low   Ticket // no ticket below is open
	count int
}

const openTableMin = 1024

func (t *openTable) add(r run) Ticket {
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

func (t *openTable) grow() {
	size := max(openTableMin, 2*len(t.descs))
	descs, state := make([]Desc, size), make([]bool, size)
	for k := t.low; k < t.next; k++ {
		from, to := int(k)&(len(t.descs)-1), int(k)&(size-1)
		descs[to], state[to] = t.descs[from], t.state[from]
	}
	t.descs, t.state = descs, state
}

// span is how many tickets there are from the oldest open one to the newest.
func (t *openTable) span() int { return int(t.next - t.low) }

// take closes a ticket and returns its descriptor; false when it is not open,
// which a handler that completes twice brings about.
func (t *openTable) take(k Ticket) (Desc, bool) {
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
