package wire

import "feedgate/worker"

// Skipper skips a message over --max-message as its bytes arrive, so that it needs no
// buffer, and refuses it when its last byte has come. The message comes in one or more
// pieces; the bytes between them, such as headers and control frames, are the Conn's
// own. The zero Skipper skips nothing.
type Skipper struct {
	// Size is the length of the message, in bytes, as far as it has been announced.
	Size uint64

	on    bool
	piece bool   // a piece was announced and its end has not been reached
	lead  uint64 // bytes of it that are still to come: before those of the message,
	body  uint64 // of the message,
	trail uint64 // and behind
}

// skipLeast is the least length up to which messages are skipped, in bytes, whatever
// --max-message is.
const skipLeast = 64 << 20

// SkipLimit is the length beyond which a message is a protocol error where nothing but a
// new connection can be trusted to find the next one, in bytes.
func SkipLimit(maxMessage int64) uint64 { return max(skipLeast, 16*uint64(max(0, maxMessage))) }

// On reports whether a message is being skipped.
func (s *Skipper) On() bool { return s.on }

// Passing reports whether the next byte belongs to a piece.
func (s *Skipper) Passing() bool { return s.piece }

// Left is how many bytes of the piece are still to come.
func (s *Skipper) Left() uint64 { return s.lead + s.body + s.trail }

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

// Here is the bytes of the message that are in buf; lead must have passed.
func (s *Skipper) Here(buf []byte, in *Input) []byte {
	rest := buf[in.Scan:]
	return rest[:min(s.body, uint64(len(rest)))]
}

// Pass drops the bytes of the piece that are in buf; false if more are to come.
func (s *Skipper) Pass(buf []byte, in *Input) bool {
	drop := func(left *uint64) {
		n := min(*left, uint64(len(buf)-in.Scan))
		*left -= n
		in.Advance(int(n))
	}
	drop(&s.lead)
	if b := s.Here(buf, in); len(b) > 0 {
		in.skim(b)
	}
	drop(&s.body)
	drop(&s.trail)
	s.piece = s.Left() > 0
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
