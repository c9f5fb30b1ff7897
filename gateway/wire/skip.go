package wire

import "feedgate/worker"

// Skipper skips a message over --max-message as its bytes arrive, without storing them, and
// refuses it after the last byte. The message has one or more pieces; the Conn decodes the bytes
// between them, such as headers and control frames. The zero Skipper is not active.
//
// Call Begin at the head of the message, and Add for each piece. Then, in every Decode, call Pass
// until it returns true, and End once the last piece has been passed.
type Skipper struct {
	// Size is the length of the pieces added so far, in bytes.
	Size uint64

	active bool
	piece  bool   // a piece was added and its end has not been reached
	lead   uint64 // its remaining bytes: before those of the message,
	body   uint64 // of the message,
	trail  uint64 // and after them
}

// skipMin is the least value of SkipLimit, in bytes.
const skipMin = 64 << 20

// SkipLimit returns the length in bytes up to which messages are skipped. A longer one is a
// protocol error: after such a length, only a new connection can be trusted to find the next
// message.
func SkipLimit(maxMessage int64) uint64 { return max(skipMin, 16*uint64(max(0, maxMessage))) }

// Active reports whether a message is being skipped.
func (s *Skipper) Active() bool { return s.active }

// InPiece reports whether the next byte belongs to a piece.
func (s *Skipper) InPiece() bool { return s.piece }

// Remaining returns how many bytes of the piece have not arrived yet.
func (s *Skipper) Remaining() uint64 { return s.lead + s.body + s.trail }

// Begin begins to skip a message. It drops the parts joined so far.
func (s *Skipper) Begin(buf []byte, in *Input) {
	*s = Skipper{active: true, Size: uint64(in.Keep - in.Start)}
	if s.Size > 0 {
		in.skim(buf[in.Start:in.Keep])
	}
	in.Advance(0)
}

// Add adds a piece: size bytes of the message, with lead bytes before and trail bytes after them.
func (s *Skipper) Add(lead, size, trail uint64) {
	s.piece = true
	s.lead += lead
	s.body += size
	s.trail += trail
	s.Size += size
}

// Available returns the bytes of the message that are in buf. The piece must have no lead.
func (s *Skipper) Available(buf []byte, in *Input) []byte {
	rest := buf[in.Scan:]
	return rest[:min(s.body, uint64(len(rest)))]
}

// Pass drops the bytes of the piece that are in buf, and reports whether the piece has ended.
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

// End refuses the message as m. in.Msgs must not be full.
func (s *Skipper) End(in *Input, m Msg) {
	m.Code = worker.TooLarge
	in.Msgs = append(in.Msgs, m)
	in.skim(nil)
	in.Skipped++
	in.Longest = max(in.Longest, s.Size)
	*s = Skipper{}
}
