package delivery

import "feedgate/worker"

// codes holds the codes of done messages, except OK.
type codes struct {
	bySlot map[uint64]worker.Code // slots in the window
	grown  bool                   // bySlot has had entries since it was made

	// Refused messages that have left the window, by sequence number. The server may redeliver
	// them, because acks that the kernel has accepted can be lost with the connection. Only the
	// newest limit are kept.
	bySeq map[uint64]worker.Code
	order []uint64 // numbers in bySeq, oldest first
	limit int
}

// minRetiredCodes is more than the number of acks that socket buffers usually hold.
const minRetiredCodes = 1 << 18

func newCodes(inFlight int) codes {
	return codes{
		bySlot: make(map[uint64]worker.Code),
		bySeq:  make(map[uint64]worker.Code),
		limit:  max(inFlight, minRetiredCodes),
	}
}

func (c *codes) set(slot uint64, n int, code worker.Code) {
	c.grown = true
	for i := range uint64(n) {
		c.bySlot[slot+i] = code
	}
}

// of returns the code of a done slot in the window.
func (c *codes) of(slot uint64) worker.Code {
	if len(c.bySlot) == 0 {
		return worker.OK
	}
	return c.bySlot[slot]
}

// prefix returns how many of the n done slots starting at slot have the code of the first, and that
// code.
func (c *codes) prefix(slot uint64, n int) (length int, code worker.Code) {
	code = c.of(slot)
	if len(c.bySlot) == 0 {
		return n, code
	}
	for length = 1; length < n && c.of(slot+uint64(length)) == code; length++ {
	}
	return length, code
}

// ofRetired returns the code of a message that has left the window; ok is false unless it was
// refused.
func (c *codes) ofRetired(seq uint64) (code worker.Code, ok bool) {
	code, ok = c.bySeq[seq]
	return code, ok
}

// retire moves the codes of slots in [from, base), which leave the window, to bySeq.
func (c *codes) retire(from, base uint64, extents *extents) {
	if len(c.bySlot) == 0 {
		return
	}
	for slot := from; slot < base; slot++ {
		code, ok := c.bySlot[slot]
		if !ok {
			continue
		}
		delete(c.bySlot, slot)
		e, _ := extents.at(slot, 1)
		if e.abandoned {
			continue
		}
		seq := e.seq + (slot - e.slot)
		c.bySeq[seq] = code
		c.order = append(c.order, seq)
		if len(c.order) > c.limit {
			delete(c.bySeq, c.order[0])
			c.order = c.order[1:]
		}
	}
}

// abandon forgets the numbers of a session that has ended. It replaces the maps because a map never
// shrinks.
func (c *codes) abandon() {
	if len(c.bySeq) > 0 {
		c.bySeq, c.order = make(map[uint64]worker.Code), nil
	}
	if c.grown && len(c.bySlot) == 0 {
		c.bySlot, c.grown = make(map[uint64]worker.Code), false
	}
}
