package ws

import "encoding/binary"

// A WebSocket frame of a server (RFC 6455, section 5.2), big-endian:
//
//	bytes  field
//	0      FIN, three reserved bits, opcode in four
//	1      length in seven bits; 126: it is in the next 2 bytes, 127: in 8
//	then   payload
const (
	opcodeBits = 0x0f
	opClose    = 8

	lengthBits = 0x7f
	length16   = 126
	length64   = 127

	maxHead = 10
)

// emptyLine ends the answer to the handshake.
const emptyLine = "\r\n\r\n"

// scanner finds the server's Close in the bytes read. It parses only the header of each frame, and
// leaves protocol errors to the library.
type scanner struct {
	line int    // how many bytes of emptyLine were the last ones read
	skip uint64 // bytes of a payload that are still to come

	head [maxHead]byte // an unfinished header
	have int

	closed bool
}

// closeAt returns the offset of Close in b, the next bytes of the stream, or -1.
func (s *scanner) closeAt(b []byte) int {
	at := s.skipAnswer(b)
	for at < len(b) && !s.closed {
		if s.skip > 0 {
			n := min(s.skip, uint64(len(b)-at))
			s.skip -= n
			at += int(n)
			continue
		}
		if s.have == 0 {
			if b[at]&opcodeBits == opClose {
				s.closed = true
				return at
			}
			if size, length := parseHead(b[at:]); size > 0 {
				s.skip = length
				at += size
				continue
			}
		}
		s.head[s.have] = b[at]
		s.have++
		at++
		if size, length := parseHead(s.head[:s.have]); size > 0 {
			s.skip, s.have = length, 0
		}
	}
	return -1
}

// skipAnswer returns the offset in b of the end of the handshake's response.
func (s *scanner) skipAnswer(b []byte) int {
	at := 0
	for ; s.line < len(emptyLine) && at < len(b); at++ {
		switch b[at] {
		case emptyLine[s.line]:
			s.line++
		case '\r':
			s.line = 1
		default:
			s.line = 0
		}
	}
	return at
}

// parseHead parses the header at the beginning of b. size is 0 if it is unfinished.
func parseHead(b []byte) (size int, length uint64) {
	if len(b) < 2 {
		return 0, 0
	}
	switch length := uint64(b[1] & lengthBits); {
	case length < length16:
		return 2, length
	case length == length16 && len(b) >= 4:
		return 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case length == length64 && len(b) >= maxHead:
		return maxHead, binary.BigEndian.Uint64(b[2:])
	}
	return 0, 0
}
