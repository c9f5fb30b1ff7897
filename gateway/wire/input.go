package wire

import "bytes"

// Input is the progress of decoding one connection's bytes. The loop owns the
// buffer, a Conn moves the cursors:
//
//	0 <= Start <= Keep <= Scan <= len(buf)
//
// buf[Start:Keep] is the beginning of a message that is not complete, joined in
// place; buf[Keep:Scan] is dead; buf[Scan:] was not decoded yet. Everything before
// Start is of no more use but to messages in Msgs. When the loop moves to another
// buffer it takes buf[Start:Keep] and buf[Scan:] along, side by side.
type Input struct {
	Start, Keep, Scan int

	// Need is how many bytes from Scan on must lie in one piece before decoding
	// can go on; 0 when the protocol cannot tell. The loop leaves it as it is: Decode must
	// set it to 0 when it no longer holds.
	Need int

	// Msgs is filled up to its capacity, which holds old messages: every field must be set. They
	// are in the order of the stream, whether the bytes of a
	// message lie in the buffer or in Own.
	Msgs []Msg

	// Side is appended to: the bytes of messages that do not lie in the buffer, such as
	// joined or decompressed ones, each at most --max-message long. They are valid until the
	// next call of Decode or End, before which the loop empties Msgs and Side. With SideFull
	// bytes it is full: no message may begin later, but for as many bytes as the call has
	// decoded.
	Side []byte

	// Out is appended to: replies that the protocol owes at once, in order.
	Out []byte

	// Event, unless EventNone, is what decoding stopped behind. The loop resets
	// it.
	Event Event

	// Skipped counts messages over --max-message; Longest is the length of the longest, in
	// bytes. The loop logs and resets both.
	Skipped int
	Longest uint64

	// Skim, unless nil, is called with the bytes of every skipped message, in order, and
	// with nil at its end, before Decode returns its refusal. A Conn around another sets it.
	Skim func(b []byte)
}

func (in *Input) skim(b []byte) {
	if in.Skim != nil {
		in.Skim(b)
	}
}

// SideFull is how many bytes fill Input.Side.
const SideFull = 64 << 10

// Bytes is the data of m.
func (in *Input) Bytes(buf []byte, m *Msg) []byte {
	if m.Side {
		buf = in.Side
	}
	end := m.Off + m.Len
	return buf[m.Off:end:end]
}

// Check reports a fault of the Conn: cursors out of order, or a message that reaches
// beyond what was decoded. If all lie in the buffer, it looks at the last message only;
// wiretest looks at all.
func (in *Input) Check(buf []byte) *Error {
	if in.Start < 0 || in.Start > in.Keep || in.Keep > in.Scan || in.Scan > len(buf) {
		return Errorf(Internal, CloseProtocolError, "decoder's cursors %d %d %d in %d bytes", in.Start, in.Keep, in.Scan, len(buf))
	}
	for i := len(in.Msgs) - 1; i >= 0; i-- {
		m := &in.Msgs[i]
		switch end := uint64(m.Off) + uint64(m.Len); {
		case m.Side && end > uint64(len(in.Side)):
			return Errorf(Internal, CloseProtocolError, "decoder's own message at %d of %d bytes, %d are there", m.Off, m.Len, len(in.Side))
		case !m.Side && end > uint64(in.Start):
			return Errorf(Internal, CloseProtocolError, "decoder's message at %d of %d bytes, decoded up to %d", m.Off, m.Len, in.Start)
		case !m.Side && len(in.Side) == 0:
			return nil
		}
	}
	return nil
}

// Full reports whether there is no room for another message.
func (in *Input) Full() bool { return len(in.Msgs) == cap(in.Msgs) || len(in.Side) >= SideFull }

// Advance moves past n decoded bytes and keeps nothing.
func (in *Input) Advance(n int) { in.AdvanceTo(in.Scan + n) }

// AdvanceTo moves to an offset in the buffer, up to which all is decoded, and keeps
// nothing.
func (in *Input) AdvanceTo(at int) { in.Start, in.Keep, in.Scan = at, at, at }

// AdvanceJoining moves past n decoded bytes; joining: the message that is being joined
// stays where it is.
func (in *Input) AdvanceJoining(n int, joining bool) {
	if in.Scan += n; !joining {
		in.AdvanceTo(in.Scan)
	}
}

// Discard drops all of buf: what follows the peer's close means nothing.
func (in *Input) Discard(buf []byte) {
	in.AdvanceTo(len(buf))
	in.Need = 0
}

// Rebase moves the cursors to a buffer that begins with what was kept, followed
// by what was not decoded.
func (in *Input) Rebase() {
	kept := in.Keep - in.Start
	in.Start, in.Keep, in.Scan = 0, kept, kept
}

// IgnoreFilter are the messages that are signs of life only. Messages over --max-message never
// count as such, because they are not stored.
type IgnoreFilter struct {
	Prefix []byte // messages with this prefix; empty: none
	Empty  bool   // messages without a byte
}

// Match reports whether msg is one of them.
func (s *IgnoreFilter) Match(msg []byte) bool {
	return s.Empty && len(msg) == 0 || len(s.Prefix) > 0 && bytes.HasPrefix(msg, s.Prefix)
}

// Drop removes signs of life from msgs, whose bytes are in buf, and returns how many
// messages are left. They are numbered from seq+1 on, unless s is empty.
func (s *IgnoreFilter) Drop(buf []byte, msgs []Msg, seq uint64) int {
	if len(s.Prefix) == 0 && !s.Empty {
		return len(msgs)
	}
	n := 0
	for _, m := range msgs {
		if s.Match(buf[m.Off : m.Off+m.Len]) {
			continue
		}
		m.Seq = seq + uint64(n) + 1
		msgs[n] = m
		n++
	}
	return n
}
