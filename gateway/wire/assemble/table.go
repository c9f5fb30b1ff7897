package assemble

import (
	"slices"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// table holds the requests of one connection: the open ones, and the refused ones, whose parts
// are ignored. It belongs to a conn.
//
// Invariant: open.n <= maxOpen, refused.n <= maxRefused, used <= p.memory, and used is the sum of
// the memory of the open ones.
type table struct {
	p       *settings
	byKey   map[string]*request
	open    queue
	refused queue
	used    int64
	now     time.Duration

	longest      int           // no open request has more memory, in bytes
	skippedParts []skippedPart // parts over --max-message whose refusal was not taken yet
	key          []byte        // of the current part
}

func newTable(p *settings) table { return table{p: p, byKey: make(map[string]*request)} }

// batch returns how many messages may be decoded at once without filling in.Side by more than the
// bytes decoded: each of them may be the last part of the longest request. The data of these
// parts is not counted.
func (t *table) batch(in *wire.Input) int {
	if t.open.n == 0 {
		t.longest = 0
	}
	most := t.longest + len(t.p.member) + len(`"`)
	return max(1, (wire.SideFull-len(in.Side))/most)
}

// handle handles the message m with its data. It returns true if m is returned to the loop: as a
// refusal, with m.Code, or as a complete request, alone or joined in in.Side. Otherwise m is a
// part of an open or a refused request.
func (t *table) handle(in *wire.Input, m *wire.Msg, data []byte) bool {
	switch {
	case m.Code == worker.TooLarge && len(t.skippedParts) > 0:
		return t.handleSkipped(m)
	case m.Code != worker.OK:
		return true
	}
	p, ok := parsePart(data, t.p.names)
	if !ok {
		m.Code = worker.BadRequest
		return true
	}
	if len(t.byKey) == 0 && p.complete && !p.unfit && len(data) <= t.p.maxMessage {
		return true
	}
	t.key = p.appendKey(t.key[:0])
	r := t.byKey[string(t.key)]
	switch {
	case r != nil && r.refused:
		return t.ignorePart(r, p.complete)
	case p.unfit:
		return t.refuse(m, r, p.complete, worker.BadRequest)
	case p.complete:
		return t.finish(in, m, r, &p)
	}
	return t.add(m, r, &p)
}

// skippedPart is a part that the inner Conn has skipped, as far as skim kept it.
type skippedPart struct {
	key      string // empty: unknown
	complete bool
}

// skipped records a skipped part; obj is what skim kept of it.
func (t *table) skipped(obj []byte) {
	var s skippedPart
	if p, ok := parsePart(obj, t.p.names); ok {
		t.key = p.appendKey(t.key[:0])
		s = skippedPart{string(t.key), p.complete}
	}
	t.skippedParts = append(t.skippedParts, s)
}

// handleSkipped handles m, the refusal of the oldest skipped part. It refuses the whole request,
// which would seem complete without that part.
func (t *table) handleSkipped(m *wire.Msg) bool {
	s := t.skippedParts[0]
	if t.skippedParts = t.skippedParts[1:]; len(t.skippedParts) == 0 {
		t.skippedParts = nil
	}
	if s.key == "" {
		return true
	}
	t.key = append(t.key[:0], s.key...)
	r := t.byKey[s.key]
	if r != nil && r.refused {
		return t.ignorePart(r, s.complete)
	}
	return t.refuse(m, r, s.complete, worker.TooLarge)
}

// add adds a part, other than the last, to r; nil: it is the first part.
func (t *table) add(m *wire.Msg, r *request, p *part) bool {
	data := p.msg[p.from:p.to]
	before, size := 0, 0
	if r != nil {
		before, size = r.memory(), len(r.joined)
	}
	size += len(data)
	frame := len(p.msg) - len(data)
	held := len(t.key) + size + frame
	if size > t.p.maxMessage || t.used+int64(held-before) > t.p.memory || r == nil && t.open.n == maxOpen {
		return t.refuse(m, r, p.complete, worker.TooLarge)
	}
	if r == nil {
		r = t.insert()
	}
	r.joined = append(r.joined, data...)
	if cap(r.last) > 2*frame {
		r.last = nil // its spare capacity, which is not counted, is too large
	}
	r.last = append(append(r.last[:0], p.msg[:p.from]...), p.msg[p.to:]...)
	r.cut, r.size, r.seq, r.tag = p.from, len(data), m.Seq, m.Tag
	t.used += int64(held - before)
	t.longest = max(t.longest, held)
	t.touch(&t.open, r)
	return false
}

// finish makes one message of r and its last part; nil: the last part is the whole request.
// Concatenating the contents of JSON strings is valid, and makes a pair of two surrogates that
// two parts have split.
func (t *table) finish(in *wire.Input, m *wire.Msg, r *request, p *part) bool {
	size := len(p.msg)
	if r != nil {
		size += len(r.joined)
		if !p.has {
			size += len(t.p.member) + len(`"`)
		}
	}
	if size > t.p.maxMessage {
		return t.refuse(m, r, p.complete, worker.TooLarge)
	}
	if r == nil {
		return true
	}
	w := append(slices.Grow(in.Side, size), p.msg[:p.from]...)
	if !p.has {
		w = append(w, t.p.member...)
	}
	w = append(append(w, r.joined...), p.msg[p.from:p.to]...)
	if !p.has {
		w = append(w, '"')
	}
	setSide(in, m, append(w, p.msg[p.to:]...))
	t.drop(r)
	return true
}

// setSide sets in.Side to side, which extends it, and m to the extension.
func setSide(in *wire.Input, m *wire.Msg, side []byte) {
	m.Side, m.Off, m.Len = true, uint32(len(in.Side)), uint32(len(side)-len(in.Side))
	in.Side = side
}

// refuse refuses a request because of its part m. It remembers the request unless m is the last
// part.
func (t *table) refuse(m *wire.Msg, r *request, complete bool, code worker.Code) bool {
	m.Code = code
	switch {
	case complete && r != nil:
		t.drop(r)
	case !complete && r == nil:
		t.ignore(t.insert())
	case !complete:
		t.ignore(r)
	}
	return true
}

// expire refuses overdue requests, as many as fit into in. The data of a refusal is the last part.
func (t *table) expire(in *wire.Input) {
	if t.p.idle == 0 {
		return
	}
	for r := t.refused.overdue(t.now, t.p.idle); r != nil; r = t.refused.overdue(t.now, t.p.idle) {
		t.drop(r)
	}
	for !in.Full() {
		r := t.open.overdue(t.now, t.p.idle)
		if r == nil {
			return
		}
		w := append(in.Side, r.last[:r.cut]...)
		w = append(w, r.joined[len(r.joined)-r.size:]...)
		m := wire.Msg{Seq: r.seq, Tag: r.tag, Code: worker.TooLarge}
		setSide(in, &m, append(w, r.last[r.cut:]...))
		in.Msgs = append(in.Msgs, m)
		t.ignore(r)
	}
}

// insert adds a request under t.key.
func (t *table) insert() *request {
	r := &request{key: string(t.key)}
	t.byKey[r.key] = r
	return r
}

// ignore makes r a refused request, whose parts are ignored.
func (t *table) ignore(r *request) {
	if r.queue == &t.open {
		t.used -= int64(r.memory())
	}
	*r = request{key: r.key, refused: true, queue: r.queue, prev: r.prev, next: r.next}
	if t.refused.n == maxRefused {
		t.drop(t.refused.first)
	}
	t.touch(&t.refused, r)
}

// touch records that a part of r has arrived, and moves r to the end of q.
func (t *table) touch(q *queue, r *request) {
	r.stamped = false
	q.push(r)
}

func (t *table) drop(r *request) {
	if r.queue == &t.open {
		t.used -= int64(r.memory())
	}
	r.leave()
	delete(t.byKey, r.key)
}

// clear drops all requests: the connection will deliver no more parts.
func (t *table) clear() {
	clear(t.byKey)
	t.open, t.refused, t.used = queue{}, queue{}, 0
}

// ignorePart handles a part of a refused request.
func (t *table) ignorePart(r *request, complete bool) bool {
	if complete {
		t.drop(r)
	} else {
		t.touch(&t.refused, r)
	}
	return false
}

// pass advances the clock by d. Parts that have arrived since the previous call are stamped with
// the new time.
func (t *table) pass(d time.Duration) {
	t.now += d
	t.open.stamp(t.now)
	t.refused.stamp(t.now)
}
