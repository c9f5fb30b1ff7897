package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	opHello   = 1
	opWelcome = 2
	opData    = 3
	opAck     = 4
	opAckTo   = 5
	opPing    = 6
	opPong    = 7
	opBye     = 10

	flagMore = 1

	// headerRest is the length field of a frame without payload.
	headerRest = 12
	frameBytes = 4 + headerRest
	// maxReply is the longest payload that the gateway may send.
	maxReply = 64 << 10
)

// frame is one frame of FG/1.
type frame struct {
	op, flags byte
	code      uint16
	seq       uint64
	payload   []byte
}

func (f frame) String() string {
	names := map[byte]string{opHello: "HELLO", opWelcome: "WELCOME", opData: "DATA", opAck: "ACK",
		opAckTo: "ACKTO", opPing: "PING", opPong: "PONG", opBye: "BYE"}
	name, known := names[f.op]
	if !known {
		name = fmt.Sprintf("op %d", f.op)
	}
	return fmt.Sprintf("%s flags=%d code=%d seq=%d payload=%.60q", name, f.flags, f.code, f.seq, f.payload)
}

// append appends the frame's bytes to b.
func (f frame) append(b []byte) []byte {
	return append(appendHeader(b, uint32(headerRest+len(f.payload)), f), f.payload...)
}

// appendHeader appends f's header with any length field.
func appendHeader(b []byte, length uint32, f frame) []byte {
	b = binary.BigEndian.AppendUint32(b, length)
	b = append(b, f.op, f.flags)
	b = binary.BigEndian.AppendUint16(b, f.code)
	return binary.BigEndian.AppendUint64(b, f.seq)
}

// readFrame reads a frame that a gateway may send: flags 0, no large payload. If the stream ends
// before a frame, the error is io.EOF itself.
func readFrame(r io.Reader) (frame, error) {
	var h [frameBytes]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(h[:])
	f := frame{op: h[4], flags: h[5], code: binary.BigEndian.Uint16(h[6:]), seq: binary.BigEndian.Uint64(h[8:])}
	if length < headerRest || length > headerRest+maxReply {
		return f, fmt.Errorf("frame of length %d: %v", length, f)
	}
	f.payload = make([]byte, length-headerRest)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return f, fmt.Errorf("payload of %v: %w", f, err)
	}
	if f.flags != 0 {
		return f, fmt.Errorf("flags from the gateway: %v", f)
	}
	return f, nil
}

// data is a DATA frame with a whole message.
func data(seq uint64, message string) frame {
	return frame{op: opData, seq: seq, payload: []byte(message)}
}

// part is a DATA frame with a part of a message, but not the last one.
func part(seq uint64, message string) frame {
	return frame{op: opData, flags: flagMore, seq: seq, payload: []byte(message)}
}

func bye(code uint16) frame { return frame{op: opBye, code: code} }
