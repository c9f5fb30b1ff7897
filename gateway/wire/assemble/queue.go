package assemble

import "time"

// request is one of which parts have come and more may come.
//
// The last part's message is last[:cut], the last size bytes of joined, last[cut:].
type request struct {
	key string

	// Of an open one.
	joined    []byte // the DATA of all parts, as it stands in JSON
	last      []byte // the last part without its DATA
	cut, size int
	seq       uint64 // of the last part, as in wire.Msg
	aux       uint8

	refused bool // all that comes of it is ignored

	// When its last part came, as of the Tick behind that.
	stamp   time.Duration
	stamped bool

	queue      *queue
	prev, next *request
}

// held is what it takes of the memory for open requests, in bytes.
func (r *request) held() int { return len(r.key) + len(r.joined) + len(r.last) }

// queue is requests in order of their last parts, the longest ago first. Those that
// are not stamped are at its end.
type queue struct {
	first, last *request
	n           int
}

// push takes r out of the queue that it is in and puts it at the end of q.
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

// stamp stamps the requests whose last part has come since it was called before.
func (q *queue) stamp(now time.Duration) {
	for r := q.last; r != nil && !r.stamped; r = r.prev {
		r.stamp, r.stamped = now, true
	}
}

// overdue is the first request if its last part came idle ago or longer, else nil.
func (q *queue) overdue(now, idle time.Duration) *request {
	if r := q.first; r != nil && r.stamped && now-r.stamp >= idle {
		return r
	}
	return nil
}
