package pool

// queues holds first-in, first-out queues of messages in one piece of memory, which is used
// again: a message that waits for its key allocates nothing.
type queues struct {
	nodes []queued
	free  int32 // the first unused node; 0: none
}

type queued struct {
	desc Desc
	next int32
}

// queue is one of them: positions in nodes, from 1. The zero queue is empty.
type queue struct{ head, tail int32 }

func (q queue) empty() bool { return q.head == 0 }

func (qs *queues) push(q *queue, d Desc) {
	at := qs.free
	if at == 0 {
		qs.nodes = append(qs.nodes, queued{})
		at = int32(len(qs.nodes))
	} else {
		qs.free = qs.nodes[at-1].next
	}
	qs.nodes[at-1] = queued{desc: d}
	if q.head == 0 {
		q.head = at
	} else {
		qs.nodes[q.tail-1].next = at
	}
	q.tail = at
}

// pop takes the first of a queue that is not empty.
func (qs *queues) pop(q *queue) Desc {
	at := q.head
	n := &qs.nodes[at-1]
	q.head = n.next
	n.next, qs.free = qs.free, at
	return n.desc
}

// all yields the messages of a queue, the first one first.
func (qs *queues) all(q queue, yield func(Desc) bool) bool {
	for at := q.head; at != 0; at = qs.nodes[at-1].next {
		if !yield(qs.nodes[at-1].desc) {
			return false
		}
	}
	return true
}
