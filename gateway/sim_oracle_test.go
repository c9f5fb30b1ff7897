package gateway

import (
	"encoding/binary"
	"fmt"

	"feedgate/worker"
)

// simHeader is the part of a payload by which a handler knows the message.
//
//	byte 0      key
//	bytes 1-4   index in simOracle.msgs
//	bytes 5-8   connection
//	bytes 9-12  ordinal on the connection
//	bytes 13-16 session
//	bytes 17-   filling
const simHeader = 17

// simMsg is a message that the server must deliver.
type simMsg struct {
	id        int
	key       byte
	size      int
	tooLarge  bool
	fails     int // number of tries that fail
	code      worker.Code
	processed bool // handled successfully at least once
	acked     bool // the server has read an ack
}

// simEntry is a sequence number of a session. Without a message, it is a gap.
type simEntry struct {
	msg      *simMsg
	session  *simSession
	seq      uint64
	sent     bool // at least in part
	heldBack bool // skipped at least once before it was first sent
	leftOut  bool // not redelivered at least once, because it was acked
	whole    bool // a gateway has received it completely
	handled  bool // a handler has had it
	done     bool
	code     worker.Code
	ackSent  bool // the kernel has accepted an ack
	acked    bool // the server has read an ack
}

func (e *simEntry) finish(code worker.Code) {
	e.done, e.code, e.msg.processed = true, code, true
}

type simSession struct {
	index   int
	id      string
	first   uint64
	entries []simEntry
}

func (x *simSession) end() uint64 { return x.first + uint64(len(x.entries)) }

// at returns nil if the session does not have the number.
func (x *simSession) at(seq uint64) *simEntry {
	if x == nil || seq < x.first || seq >= x.end() {
		return nil
	}
	return &x.entries[seq-x.first]
}

// unacked returns the first number that is not acked.
func (x *simSession) unacked() uint64 {
	for i := range x.entries {
		if e := &x.entries[i]; e.msg != nil && !e.acked {
			return e.seq
		}
	}
	return x.end()
}

// simOracle knows the true state of all messages and sessions.
type simOracle struct {
	s        *sim
	msgs     []*simMsg
	sessions []*simSession
}

func (o *simOracle) init() {
	r, p := o.s.rng, &o.s.plan
	for id := range p.messages {
		m := &simMsg{id: id, key: byte(r.IntN(p.keys)), size: simHeader + r.IntN(max(1, p.size-simHeader+1))}
		if m.tooLarge = chance(r, p.tooLarge); m.tooLarge {
			m.size = int(p.maxMessage) + 1 + r.IntN(2*int(p.maxMessage))
		}
		if chance(r, p.refuse) {
			m.fails, m.code = 1+r.IntN(p.retries+2), among[worker.Code](r, 1, 2, worker.CodeHandler, worker.CodeHandlerLast)
		}
		o.msgs = append(o.msgs, m)
	}
}

// beginSession begins a session with all messages that are not acked.
func (o *simOracle) beginSession() *simSession {
	r, p := o.s.rng, &o.s.plan
	x := &simSession{index: len(o.sessions), first: p.first}
	if p.named {
		x.id = fmt.Sprintf("s%d", x.index)
	}
	o.sessions = append(o.sessions, x)
	for _, m := range o.msgs {
		if m.acked {
			continue
		}
		if chance(r, p.gap) {
			x.entries = append(x.entries, make([]simEntry, 1+r.IntN(4))...)
		}
		x.entries = append(x.entries, simEntry{msg: m})
	}
	for i := range x.entries {
		x.entries[i].session, x.entries[i].seq = x, x.first+uint64(i)
	}
	return x
}

func (o *simOracle) session(id string) *simSession {
	for _, x := range o.sessions {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (o *simOracle) acked() bool {
	for _, m := range o.msgs {
		if !m.acked {
			return false
		}
	}
	return true
}

// countMissed returns how many numbers a process may have seen as missing.
func (o *simOracle) countMissed() int {
	n := 0
	for _, x := range o.sessions {
		for i := range x.entries {
			if x.entries[i].heldBack || x.entries[i].leftOut {
				n++
			}
		}
	}
	return n
}

// checkDone checks a claim that everything up to seq is acked. Numbers that never arrived count as
// done.
func (o *simOracle) checkDone(who, session string, seq uint64) {
	x := o.session(session)
	if x == nil || seq >= x.end() {
		o.s.failf("%s claims %d of session %q, which has no such number", who, seq, session)
		return
	}
	for i := range x.entries {
		e := &x.entries[i]
		if e.seq > seq {
			return
		}
		if e.msg == nil || e.acked || e.ackSent || e.heldBack && (!e.handled || !o.s.proc.knows(e)) {
			continue
		}
		if o.s.plan.ack == "none" && e.done {
			continue
		}
		o.s.failf("%s claims that all up to %d of session %q is done, but %d: whole %v, done %v, its ack was not taken",
			who, seq, session, e.seq, e.whole, e.done)
	}
}

// payload makes the bytes of a message for one delivery.
func (o *simOracle) payload(e *simEntry, conn, ordinal int) []byte {
	m := e.msg
	p := make([]byte, m.size)
	p[0] = m.key
	binary.BigEndian.PutUint32(p[1:], uint32(m.id))
	binary.BigEndian.PutUint32(p[5:], uint32(conn))
	binary.BigEndian.PutUint32(p[9:], uint32(ordinal))
	binary.BigEndian.PutUint32(p[13:], uint32(e.session.index))
	for i := simHeader; i < len(p); i++ {
		p[i] = simFilling(m.id, conn, i)
	}
	return p
}

func simFilling(id, conn, i int) byte { return byte(7*id + 13*conn + i) }

// read checks the bytes that a handler was given, and returns their entry and which delivery they
// are from.
func (o *simOracle) read(seq uint64, p []byte) (e *simEntry, conn, ordinal int) {
	if len(p) < simHeader {
		o.s.failf("message %d has %d bytes", seq, len(p))
		return nil, 0, 0
	}
	id := int(binary.BigEndian.Uint32(p[1:]))
	conn, ordinal = int(binary.BigEndian.Uint32(p[5:])), int(binary.BigEndian.Uint32(p[9:]))
	if at := int(binary.BigEndian.Uint32(p[13:])); at < len(o.sessions) {
		e = o.sessions[at].at(seq)
	}
	if e == nil || e.msg == nil || e.msg.id != id || e.msg.size != len(p) || e.msg.tooLarge || p[0] != e.msg.key {
		o.s.failf("message %d is not what was sent: number %d, %d bytes", seq, id, len(p))
		return nil, 0, 0
	}
	for i := simHeader; i < len(p); i++ {
		if p[i] != simFilling(id, conn, i) {
			o.s.failf("message %d of %d bytes differs at byte %d", seq, len(p), i)
			break
		}
	}
	return e, conn, ordinal
}
