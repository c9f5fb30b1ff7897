package assemble

import "time"

// request is a request of which parts have arrived and more may follow.
//
// The message of the last part is last[:cut], the last size bytes of joined, last[cut:].
type request struct {
	key string

	// For an open request.
	joined    []byte // the DATA of all parts, still escaped
	last      []byte // the last part without its DATA
	cut, size int
	seq       uint64 // of the last part, as in wire.Msg
	tag       uint8

	refused bool // its further parts are ignored

	// Time of the first Tick after its last part.
	stamp   time.Duration
	stamped bool

	queue      *queue
	prev, next *request
}

// memory returns the request's share of Config.Memory, in bytes.
func (r *request) memory() int { return len(r.key) + len(r.joined) + len(r.last) }

// queue holds requests in the order of their last parts, oldest first. Requests without a stamp
// are at its end.
type queue struct {
	first, last *request
	n           int
}

// push moves r from its queue to the end of q.
func (q *queue) push(r *request) {
	r.leave()
	r.queue, r.prev = q, q.last
	if q.last != nil {
		q.last.next = r
	} else {
		q.first = r
	}
	q.last = r
	q.n++
}

func (r *request) leave() {
	q := r.queue
	if q == nil {
		return
	}
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		q.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		q.last = r.prev
	}
	r.queue, r.prev, r.next = nil, nil, nil
	q.n--
}

// stamp stamps the requests whose last part has arrived since the previous call.
func (q *queue) stamp(now time.Duration) {
	for r := q.last; r != nil && !r.stamped; r = r.prev {
		r.stamp, r.stamped = now, true
	}
}

// overdue returns the first request if its last part arrived idle ago or longer, else nil.
func (q *queue) overdue(now, idle time.Duration) *request {
	if r := q.first; r != nil && r.stamped && now-r.stamp >= idle {
		return r
	}
	return nil
}
