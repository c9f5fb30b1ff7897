package wire

import "bytes"

// Input is the progress of decoding the bytes of one connection. The loop owns the buffer; the
// Conn moves the cursors:
//
//	0 <= Start <= Keep <= Scan <= len(buf)
//
// buf[Start:Keep] is the beginning of an incomplete message whose parts are joined in place.
// buf[Keep:Scan] is unused. buf[Scan:] is not decoded yet. Before Start, only the messages in
// Msgs are still needed. When the loop switches to another buffer, it copies buf[Start:Keep] and
// buf[Scan:] there, one directly after the other.
type Input struct {
	Start, Keep, Scan int

	// Need is how many contiguous bytes from Scan on decoding requires to continue; 0 if unknown.
	// The loop never resets it: Decode must set it to 0 when it no longer holds.
	Need int

	// Msgs is where Decode appends messages, in stream order, up to the capacity. The array holds
	// old messages, so every field must be set.
	Msgs []Msg

	// Side is where Decode appends the data of messages that do not lie in the buffer, such as
	// joined or decompressed ones. Each is at most --max-message long. The loop empties Msgs and
	// Side before each call of Decode and End. With SideFull bytes, Side is full: no message may
	// begin beyond that, except by as many bytes as the call has decoded.
	Side []byte

	// Out is where Decode appends replies that are due at once, in order.
	Out []byte

	// Event is the event after which decoding stopped, or EventNone. The loop resets it.
	Event Event

	// Skipped counts messages over --max-message; Longest is the length of the longest, in
	// bytes. The loop logs and resets both.
	Skipped int
	Longest uint64

	// Skim, if set, is called with the bytes of each skipped message, in order, and with nil at
	// its end, before Decode returns the refusal. A Conn that wraps another sets it.
	Skim func(b []byte)
}

func (in *Input) skim(b []byte) {
	if in.Skim != nil {
		in.Skim(b)
	}
}

// SideFull is the length at which Input.Side is full, in bytes.
const SideFull = 64 << 10

// Bytes returns the data of m.
func (in *Input) Bytes(buf []byte, m *Msg) []byte {
	if m.Side {
		buf = in.Side
	}
	end := m.Off + m.Len
	return buf[m.Off:end:end]
}

// Check reports a bug of the Conn: cursors out of order, or a message that ends beyond the
// decoded bytes. If no message is in Side, it checks only the last one; wiretest checks all.
func (in *Input) Check(buf []byte) *Error {
	if in.Start < 0 || in.Start > in.Keep || in.Keep > in.Scan || in.Scan > len(buf) {
		return Errorf(Internal, CloseProtocolError, "decoder's cursors %d %d %d in %d bytes", in.Start, in.Keep, in.Scan, len(buf))
	}
	for i := len(in.Msgs) - 1; i >= 0; i-- {
		m := &in.Msgs[i]
		switch end := uint64(m.Off) + uint64(m.Len); {
		case m.Side && end > uint64(len(in.Side)):
			return Errorf(Internal, CloseProtocolError, "decoder's message at %d of %d bytes, beyond the %d of its side buffer", m.Off, m.Len, len(in.Side))
		case !m.Side && end > uint64(in.Start):
			return Errorf(Internal, CloseProtocolError, "decoder's message at %d of %d bytes, beyond the %d decoded", m.Off, m.Len, in.Start)
		case !m.Side && len(in.Side) == 0:
			return nil
		}
	}
	return nil
}

// Full reports whether Msgs or Side has no space for another message.
func (in *Input) Full() bool { return len(in.Msgs) == cap(in.Msgs) || len(in.Side) >= SideFull }

// Advance moves all cursors to n bytes after Scan.
func (in *Input) Advance(n int) { in.AdvanceTo(in.Scan + n) }

// AdvanceTo moves all cursors to an offset in the buffer.
func (in *Input) AdvanceTo(at int) { in.Start, in.Keep, in.Scan = at, at, at }

// AdvanceJoining moves Scan by n bytes. If joining, the incomplete message at Start is kept;
// otherwise Start and Keep follow Scan.
func (in *Input) AdvanceJoining(n int, joining bool) {
	if in.Scan += n; !joining {
		in.AdvanceTo(in.Scan)
	}
}

// Discard drops all of buf: bytes after the peer's close have no meaning.
func (in *Input) Discard(buf []byte) {
	in.AdvanceTo(len(buf))
	in.Need = 0
}

// Rebase moves the cursors to a buffer that begins with buf[Start:Keep], followed by buf[Scan:].
func (in *Input) Rebase() {
	kept := in.Keep - in.Start
	in.Start, in.Keep, in.Scan = 0, kept, kept
}

// IgnoreFilter selects messages to ignore. They are signs of life; they get no number, no worker
// and no ack. A message over --max-message never matches, because it is not stored.
type IgnoreFilter struct {
	Prefix []byte // messages with this prefix match; empty: none
	Empty  bool   // empty messages match
}

// Match reports whether msg is to be ignored.
func (f *IgnoreFilter) Match(msg []byte) bool {
	return f.Empty && len(msg) == 0 || len(f.Prefix) > 0 && bytes.HasPrefix(msg, f.Prefix)
}

// Drop removes matching messages from msgs, whose data lie in buf, and returns how many remain.
// It numbers these from seq+1 on, unless f is the zero value.
func (f *IgnoreFilter) Drop(buf []byte, msgs []Msg, seq uint64) int {
	if len(f.Prefix) == 0 && !f.Empty {
		return len(msgs)
	}
	n := 0
	for _, m := range msgs {
		if f.Match(buf[m.Off : m.Off+m.Len]) {
			continue
		}
		m.Seq = seq + uint64(n) + 1
		msgs[n] = m
		n++
	}
	return n
}
