package pool

import "feedgate/worker"

// pendingTable holds the descriptors of deferred messages, by ID. The worker owns it. Its size is
// that of the span, from the oldest pending ID to the newest, rounded up to a power of two: 25
// bytes for each ID. Worker.newLimit and Worker.retryLimit limit the span to the gateway's
// in-flight limit; a drain adds the messages in the ring.
type pendingTable struct {
	descs     []Desc    // by ID & (len-1)
	isPending []bool    // by ID & (len-1)
	next      worker.ID // of the next deferred message
	low       worker.ID // no ID below is pending
	count     int       // pending messages
}

const pendingTableMin = 1024

// add adds the messages of a run, and returns the ID of the first.
func (t *pendingTable) add(r run) worker.ID {
	first := t.next
	for i := range r.spans {
		if t.span() == len(t.descs) {
			t.grow()
		}
		at := int(t.next) & (len(t.descs) - 1)
		t.descs[at], t.isPending[at] = r.at(i), true
		t.next++
	}
	t.count += len(r.spans)
	return first
}

func (t *pendingTable) grow() {
	size := max(pendingTableMin, 2*len(t.descs))
	descs, isPending := make([]Desc, size), make([]bool, size)
	for k := t.low; k < t.next; k++ {
		from, to := int(k)&(len(t.descs)-1), int(k)&(size-1)
		descs[to], isPending[to] = t.descs[from], t.isPending[from]
	}
	t.descs, t.isPending = descs, isPending
}

// span returns how many IDs there are from the oldest pending one to the newest.
func (t *pendingTable) span() int { return int(t.next - t.low) }

// remove removes a message and returns its descriptor; false if the ID is not pending, e.g. because
// it was resolved before.
func (t *pendingTable) remove(k worker.ID) (Desc, bool) {
	if k < t.low || k >= t.next {
		return Desc{}, false
	}
	at := int(k) & (len(t.descs) - 1)
	if !t.isPending[at] {
		return Desc{}, false
	}
	t.isPending[at] = false
	t.count--
	d := t.descs[at]
	for t.low < t.next && !t.isPending[int(t.low)&(len(t.isPending)-1)] {
		t.low++
	}
	return d, true
}
