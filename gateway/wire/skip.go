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
	left  uint64 // bytes of it that are still to come
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
func (s *Skipper) Left() uint64 { return s.left }

// Begin begins to skip a message, dropping what was joined of it.
func (s *Skipper) Begin(in *Input) {
	*s = Skipper{on: true, Size: uint64(in.Keep - in.Start)}
	in.Advance(0)
}

// Add announces a piece of n bytes in the stream, size of which belong to the message.
func (s *Skipper) Add(n, size uint64) {
	s.piece = true
	s.left += n
	s.Size += size
}

// Here is the bytes of the piece that are in buf.
func (s *Skipper) Here(buf []byte, in *Input) []byte {
	rest := buf[in.Scan:]
	return rest[:min(s.left, uint64(len(rest)))]
}

// Pass drops the bytes of the piece that are in buf; false if more are to come.
func (s *Skipper) Pass(buf []byte, in *Input) bool {
	n := len(s.Here(buf, in))
	s.left -= uint64(n)
	s.piece = s.left > 0
	in.Advance(n)
	in.Need = 0
	return !s.piece
}

// End refuses the message as m. There must be room in in.Msgs.
func (s *Skipper) End(in *Input, m Msg) {
	m.Code = worker.TooLarge
	in.Msgs = append(in.Msgs, m)
	in.Skipped++
	in.Longest = max(in.Longest, s.Size)
	*s = Skipper{}
}
