package pool

// queueMemory holds first-in, first-out queues of messages in one slice, whose elements are reused:
// queueing a message does not allocate.
type queueMemory struct {
	nodes []queueNode
	free  int32 // first unused node, plus 1; 0: none
}

type queueNode struct {
	desc Desc
	next int32
}

// queue is one of the queues: indexes of nodes, plus 1. The zero queue is empty.
type queue struct{ head, tail int32 }

func (q queue) empty() bool { return q.head == 0 }

func (qs *queueMemory) push(q *queue, d Desc) {
	at := qs.free
	if at == 0 {
		qs.nodes = append(qs.nodes, queueNode{})
		at = int32(len(qs.nodes))
	} else {
		qs.free = qs.nodes[at-1].next
	}
	qs.nodes[at-1] = queueNode{desc: d}
	if q.head == 0 {
		q.head = at
	} else {
		qs.nodes[q.tail-1].next = at
	}
	q.tail = at
}

// pop removes the first message of a queue, which must not be empty.
func (qs *queueMemory) pop(q *queue) Desc {
	at := q.head
	n := &qs.nodes[at-1]
	q.head = n.next
	n.next, qs.free = qs.free, at
	return n.desc
}

// all yields the messages of a queue in order. It returns false if yield did.
func (qs *queueMemory) all(q queue, yield func(Desc) bool) bool {
	for at := q.head; at != 0; at = qs.nodes[at-1].next {
		if !yield(qs.nodes[at-1].desc) {
			return false
		}
	}
	return true
}
