package kit

// queue is a FIFO that reuses its memory.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) push(v T)    { q.items = append(q.items, v) }
func (q *queue[T]) all() []T    { return q.items[q.head:] }
func (q *queue[T]) len() int    { return len(q.items) - q.head }
func (q *queue[T]) empty() bool { return q.len() == 0 }

// drop removes the first n. The rest is moved down once at least as many were dropped: at
// most one move per element.
func (q *queue[T]) drop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	if left := len(q.items) - q.head; q.head >= left {
		copy(q.items, q.items[q.head:])
		clear(q.items[left:])
		q.items, q.head = q.items[:left], 0
	}
}

// lane is messages whose order counts. While a sender has some of them it is claimed, and the
// others wait, until all that the sender has are completed.
//
// Invariant: a lane is in lanes.ready, once, exactly if it is not claimed and has messages;
// one that is neither claimed nor has messages is not in lanes.byKey.
type lane struct {
	key     uint64
	claimed bool
	owed    int // messages that the sender has and that are not completed
	queue   queue[entry]
	bytes   int // of the messages in queue
}

// lanes are one worker's messages that no sender has.
type lanes struct {
	byKey  map[uint64]*lane
	ready  queue[*lane]
	unused []*lane
	loose  queue[entry] // messages without a lane

	// Messages that may be sent now: those of lanes that are not claimed.
	waiting, bytes int
}

// add queues a message, in its lane unless order does not matter.
func (l *lanes) add(e entry, key uint64, unordered bool) {
	size := len(e.m.Data)
	if unordered {
		l.loose.push(e)
		l.count(1, size)
		return
	}
	at := l.byKey[key]
	if at == nil {
		at = l.fresh(key)
	}
	if !at.claimed {
		l.count(1, size)
		if at.queue.empty() {
			l.ready.push(at)
		}
	}
	e.lane = at
	at.queue.push(e)
	at.bytes += size
}

func (l *lanes) count(messages, bytes int) {
	l.waiting += messages
	l.bytes += bytes
}

func (l *lanes) fresh(key uint64) *lane {
	at := new(lane)
	if n := len(l.unused); n > 0 {
		at, l.unused = l.unused[n-1], l.unused[:n-1]
	}
	at.key = key
	l.byKey[key] = at
	return at
}

// take claims lanes and takes messages of them, in order, as many as the limits allow, but at
// least one.
func (l *lanes) take(cfg *Config) (all []entry) {
	all = make([]entry, 0, min(l.waiting, cfg.MaxMessages))
	bytes := 0
	// fill takes up to limit messages of q, and returns how many and their size.
	fill := func(q *queue[entry], limit int) (n, size int) {
		for _, e := range q.all() {
			full := len(all) >= cfg.MaxMessages || bytes+len(e.m.Data) > cfg.MaxBytes
			if n == limit || len(all) > 0 && full {
				break
			}
			all = append(all, e)
			bytes += len(e.m.Data)
			size += len(e.m.Data)
			n++
		}
		q.drop(n)
		return n, size
	}
	n, size := fill(&l.loose, l.loose.len())
	l.count(-n, -size)
	for !l.ready.empty() {
		at := l.ready.all()[0]
		before, size := at.queue.len(), at.bytes
		n, taken := fill(&at.queue, cfg.MaxPerLane)
		if n == 0 {
			break
		}
		// Those left wait until the lane is released.
		l.count(-before, -size)
		at.bytes -= taken
		at.claimed = true
		at.owed = n
		l.ready.drop(1)
	}
	return all
}

// completed notes that a message is completed. Behind the last one that a sender has of a lane,
// it ends the claim, and reports whether that made messages ready.
func (l *lanes) completed(e *entry) (ready bool) {
	at := e.lane
	if at == nil {
		return false
	}
	if at.owed--; at.owed > 0 {
		return false
	}
	at.claimed = false
	if at.queue.empty() {
		delete(l.byKey, at.key)
		l.unused = append(l.unused, at)
		return false
	}
	l.count(at.queue.len(), at.bytes)
	l.ready.push(at)
	return true
}
