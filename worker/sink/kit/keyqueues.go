package kit

// fifo is a first-in, first-out queue that reuses its memory.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) push(v T)    { q.items = append(q.items, v) }
func (q *fifo[T]) all() []T    { return q.items[q.head:] }
func (q *fifo[T]) len() int    { return len(q.items) - q.head }
func (q *fifo[T]) empty() bool { return q.len() == 0 }

// drop removes the first n. The others move to the front once at least as many were dropped, so
// that each element moves once at most.
func (q *fifo[T]) drop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	if left := len(q.items) - q.head; q.head >= left {
		copy(q.items, q.items[q.head:])
		clear(q.items[left:])
		q.items, q.head = q.items[:left], 0
	}
}

// keyQueue holds the messages of a key that no sender has, in order. While a sender has some of the
// key's messages, the queue is claimed, and the others wait until all of those are resolved.
//
// Invariant: a queue is in keyQueues.ready, once, exactly if it is not claimed and has messages;
// one that is neither claimed nor has messages is not in keyQueues.byKey.
type keyQueue struct {
	key      uint64
	claimed  bool
	sending  int // messages that a sender has, and that are not resolved
	messages fifo[entry]
	bytes    int // of messages
}

// keyQueues holds one worker's messages that no sender has.
type keyQueues struct {
	byKey     map[uint64]*keyQueue
	ready     fifo[*keyQueue]
	unused    []*keyQueue
	unordered fifo[entry] // messages without an order

	// Messages that may be sent now, those of claimed queues excluded.
	waiting, bytes int
}

// add queues a message, with those of its key unless order does not matter.
func (q *keyQueues) add(e entry, key uint64, unordered bool) {
	size := len(e.m.Data)
	if unordered {
		q.unordered.push(e)
		q.count(1, size)
		return
	}
	at := q.byKey[key]
	if at == nil {
		at = q.newQueue(key)
	}
	if !at.claimed {
		q.count(1, size)
		if at.messages.empty() {
			q.ready.push(at)
		}
	}
	e.queue = at
	at.messages.push(e)
	at.bytes += size
}

func (q *keyQueues) count(messages, bytes int) {
	q.waiting += messages
	q.bytes += bytes
}

func (q *keyQueues) newQueue(key uint64) *keyQueue {
	at := new(keyQueue)
	if n := len(q.unused); n > 0 {
		at, q.unused = q.unused[n-1], q.unused[:n-1]
	}
	at.key = key
	q.byKey[key] = at
	return at
}

// claim claims queues and moves messages from them to all, which is empty, in order: as many as the limits of
// a batch allow, and at least one.
func (q *keyQueues) claim(cfg *Config, all []entry) []entry {
	bytes := 0
	// fill moves up to limit messages of from to all, and returns how many and their size.
	fill := func(from *fifo[entry], limit int) (n, size int) {
		for _, e := range from.all() {
			full := len(all) >= cfg.MaxMessages || bytes+len(e.m.Data) > cfg.MaxBytes
			if n == limit || len(all) > 0 && full {
				break
			}
			all = append(all, e)
			bytes += len(e.m.Data)
			size += len(e.m.Data)
			n++
		}
		from.drop(n)
		return n, size
	}
	n, size := fill(&q.unordered, q.unordered.len())
	q.count(-n, -size)
	for !q.ready.empty() {
		at := q.ready.all()[0]
		before, size := at.messages.len(), at.bytes
		n, filled := fill(&at.messages, cfg.MaxPerKey)
		if n == 0 {
			break
		}
		// The others of the key wait until the queue is no longer claimed.
		q.count(-before, -size)
		at.bytes -= filled
		at.claimed = true
		at.sending = n
		q.ready.drop(1)
	}
	return all
}

// resolved records that a sender's message is resolved. After the last one of its key, the queue is
// no longer claimed; it reports whether messages became ready to be sent.
func (q *keyQueues) resolved(e *entry) (ready bool) {
	at := e.queue
	if at == nil {
		return false
	}
	if at.sending--; at.sending > 0 {
		return false
	}
	at.claimed = false
	if at.messages.empty() {
		delete(q.byKey, at.key)
		q.unused = append(q.unused, at)
		return false
	}
	q.count(at.messages.len(), at.bytes)
	q.ready.push(at)
	return true
}
