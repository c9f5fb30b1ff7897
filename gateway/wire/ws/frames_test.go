package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"feedgate/gateway/wire"
)

// Frames as a server sends them.

// frame is a frame with the fewest bytes of length.
func frame(first byte, payload string) []byte {
	return append(header64(first, uint64(len(payload)), fewest(len(payload))), payload...)
}

func fewest(n int) int {
	switch {
	case n < 126:
		return 0
	case n < 1<<16:
		return 2
	}
	return 8
}

// header64 is a header with the length in 0, 2 or 8 bytes of its own.
func header64(first byte, n uint64, size int) []byte {
	switch size {
	case 0:
		return []byte{first, byte(n)}
	case 2:
		return binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, 127}, n)
}

// long is a frame with its length in size bytes, even if a shorter form exists.
func long(first byte, size int, payload string) []byte {
	return append(header64(first, uint64(len(payload)), size), payload...)
}

// announced is a frame's header alone, with an 8-byte length.
func announced(first byte, n uint64) []byte { return header64(first, n, 8) }

func text(s string) []byte    { return frame(0x81, s) }
func bin(s string) []byte     { return frame(0x82, s) }
func textOn(s string) []byte  { return frame(0x01, s) } // the first fragment
func binOn(s string) []byte   { return frame(0x02, s) }
func more(s string) []byte    { return frame(0x00, s) } // a fragment between
func last(s string) []byte    { return frame(0x80, s) }
func ping(s string) []byte    { return frame(0x89, s) }
func pong(s string) []byte    { return frame(0x8a, s) }
func closing(s string) []byte { return frame(0x88, s) }
func raw(b ...byte) []byte    { return b }

// masked is a frame as only a client may send it.
func masked(first byte, payload string) []byte {
	b := append([]byte{first, 0x80 | byte(len(payload))}, 1, 2, 3, 4)
	for i := range len(payload) {
		b = append(b, payload[i]^byte(1+i%4))
	}
	return b
}

// frame is the message in one frame.
func (m message) frame() []byte {
	if m.text {
		return text(m.data)
	}
	return bin(m.data)
}

func cat(frames ...[]byte) []byte          { return bytes.Join(frames, nil) }
func times(n int, frames ...[]byte) []byte { return bytes.Repeat(cat(frames...), n) }
func code(c int) string                    { return string([]byte{byte(c >> 8), byte(c)}) }
func ascii(n int) string                   { return strings.Repeat("0123456789abcde ", n/16+1)[:n] }
func bytesOf(n int) string                 { return strings.Repeat("\x00\xff\x80\xc0\xfe\x7f\xed\xa0", n/8+1)[:n] }

// What is expected of them.

func asText(s string) message { return message{text: true, data: s} }
func asBin(s string) message  { return message{data: s} }

// overText and overBin are messages over --max-message.
func overText() message { return message{text: true, over: true} }
func overBin() message  { return message{over: true} }

// gets is messages and no more.
func gets(msgs ...message) outcome { return outcome{msgs: msgs, goodbye: code(1000)} }

// pongs is pongs, and messages before or after.
func pongs(payloads []string, msgs ...message) outcome {
	return outcome{msgs: msgs, pongs: payloads, goodbye: code(1000)}
}

func (o outcome) and(pongs ...string) outcome {
	o.pongs = append(o.pongs, pongs...)
	return o
}

// bad1002, bad1007 and bad1009 are faults after some messages.
func bad1002(msgs ...message) outcome {
	return outcome{msgs: msgs, reason: wire.WS, goodbye: code(1002)}
}

func bad1007(msgs ...message) outcome {
	return outcome{msgs: msgs, reason: wire.BadUTF8, goodbye: code(1007)}
}

func bad1009(msgs ...message) outcome {
	return outcome{msgs: msgs, reason: wire.TooLarge, goodbye: code(1009)}
}

// clean and unclean are the server's close, which is answered with its code.
func clean(c int, msgs ...message) outcome {
	return outcome{msgs: msgs, close: fmt.Sprint(c, " clean"), goodbye: code(c)}
}

func unclean(c int, msgs ...message) outcome {
	return outcome{msgs: msgs, close: fmt.Sprint(c), goodbye: code(c)}
}

// noCode is the server's close without a code.
func noCode(msgs ...message) outcome { return outcome{msgs: msgs, close: "0 clean"} }
