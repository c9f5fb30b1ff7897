package wire

import "feedgate/worker"

// Skipper skips a message over --max-message as its bytes arrive, without a buffer, and
// refuses it after its last byte. The message has one or more pieces; the Conn decodes the
// bytes between them, such as headers and control frames. The zero Skipper skips nothing.
type Skipper struct {
	// Size is the length of the pieces announced so far, in bytes.
	Size uint64

	on    bool
	piece bool   // a piece was announced and its end has not been reached
	lead  uint64 // bytes of it still to come: before those of the message,
	body  uint64 // of the message,
	trail uint64 // and after them
}

// skipLeast is the least value of SkipLimit, in bytes.
const skipLeast = 64 << 20

// SkipLimit is the length in bytes up to which messages are skipped. A longer one is a
// protocol error: only a new connection can be trusted to find the next message.
func SkipLimit(maxMessage int64) uint64 { return max(skipLeast, 16*uint64(max(0, maxMessage))) }

// Active reports whether a message is being skipped.
func (s *Skipper) Active() bool { return s.on }

// InPiece reports whether the next byte belongs to a piece.
func (s *Skipper) InPiece() bool { return s.piece }

// Remaining is how many bytes of the piece are still to come.
func (s *Skipper) Remaining() uint64 { return s.lead + s.body + s.trail }

// Begin begins to skip a message, dropping what was joined of it.
func (s *Skipper) Begin(buf []byte, in *Input) {
	*s = Skipper{on: true, Size: uint64(in.Keep - in.Start)}
	if s.Size > 0 {
		in.skim(buf[in.Start:in.Keep])
	}
	in.Advance(0)
}

// Add announces a piece of the stream: size bytes of the message, with lead bytes before
// them and trail behind.
func (s *Skipper) Add(lead, size, trail uint64) {
	s.piece = true
	s.lead += lead
	s.body += size
	s.trail += trail
	s.Size += size
}

// Available returns the bytes of the message that are in buf; there must be no lead.
func (s *Skipper) Available(buf []byte, in *Input) []byte {
	rest := buf[in.Scan:]
	return rest[:min(s.body, uint64(len(rest)))]
}

// Pass drops the bytes of the piece that are in buf. False: more are to come.
func (s *Skipper) Pass(buf []byte, in *Input) bool {
	drop := func(left *uint64) {
		n := min(*left, uint64(len(buf)-in.Scan))
		*left -= n
		in.Advance(int(n))
	}
	drop(&s.lead)
	if b := s.Available(buf, in); len(b) > 0 {
		in.skim(b)
	}
	drop(&s.body)
	drop(&s.trail)
	s.piece = s.Remaining() > 0
	in.Need = 0
	return !s.piece
}

// End refuses the message as m. There must be room in in.Msgs.
func (s *Skipper) End(in *Input, m Msg) {
	m.Code = worker.TooLarge
	in.Msgs = append(in.Msgs, m)
	in.skim(nil)
	in.Skipped++
	in.Longest = max(in.Longest, s.Size)
	*s = Skipper{}
}
