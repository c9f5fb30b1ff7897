package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// framing is one --frame, and the server's encoding of messages.
type framing struct {
	flag   string
	encode func(message string) []byte
	// kept returns the message as the gateway decodes it; nil: unchanged.
	kept func(message string) string
}

// lengthField encodes n as a length field.
func lengthField(n uint64, size int, order binary.ByteOrder) []byte {
	field := make([]byte, 8)
	if order == binary.BigEndian {
		binary.BigEndian.PutUint64(field, n)
		return field[8-size:]
	}
	binary.LittleEndian.PutUint64(field, n)
	return field[:size]
}

// lengthFrame returns an encoder of frames: header, length field, message. The length field is the
// length of the message minus adjust.
func lengthFrame(header string, size, adjust int, order binary.ByteOrder) func(string) []byte {
	return func(message string) []byte {
		b := []byte(header)
		b = append(b, lengthField(uint64(len(message)-adjust), size, order)...)
		return append(b, message...)
	}
}

var framings = map[string]framing{
	"line LF":   {flag: "line", encode: func(m string) []byte { return []byte(m + "\n") }},
	"line CRLF": {flag: "line", encode: func(m string) []byte { return []byte(m + "\r\n") }},
	"delim of 1": {flag: "delim:00",
		encode: func(m string) []byte { return []byte(m + "\x00") }},
	"delim of 3": {flag: "delim:0d0a03",
		encode: func(m string) []byte { return []byte(m + "\r\n\x03") }},
	"delim of 8": {flag: "delim:6161616161616162",
		encode: func(m string) []byte { return []byte(m + "aaaaaaab") }},
	"length 1": {flag: "length:offset=0,size=1,adjust=0,strip=1,order=big",
		encode: lengthFrame("", 1, 0, binary.BigEndian)},
	"length 2 big": {flag: "length:offset=0,size=2,adjust=0,strip=2,order=big",
		encode: lengthFrame("", 2, 0, binary.BigEndian)},
	"length 2 little": {flag: "length:offset=0,size=2,adjust=0,strip=2,order=little",
		encode: lengthFrame("", 2, 0, binary.LittleEndian)},
	"length 3 big": {flag: "length:offset=0,size=3,adjust=0,strip=3,order=big",
		encode: lengthFrame("", 3, 0, binary.BigEndian)},
	"length 3 little": {flag: "length:offset=0,size=3,adjust=0,strip=3,order=little",
		encode: lengthFrame("", 3, 0, binary.LittleEndian)},
	"length 4": {flag: "length:offset=0,size=4,adjust=0,strip=4,order=big",
		encode: lengthFrame("", 4, 0, binary.BigEndian)},
	"length 8 little": {flag: "length:offset=0,size=8,adjust=0,strip=8,order=little",
		encode: lengthFrame("", 8, 0, binary.LittleEndian)},
	"length counts itself": {flag: "length:offset=0,size=4,adjust=-4,strip=4,order=big",
		encode: lengthFrame("", 4, -4, binary.BigEndian)},
	"length after a header": {flag: "length:offset=3,size=2,adjust=0,strip=5,order=big",
		encode: lengthFrame("HDR", 2, 0, binary.BigEndian)},
	"length less than the rest": {flag: "length:offset=2,size=2,adjust=7,strip=4,order=little",
		encode: func(m string) []byte {
			return append(append([]byte("hd"), lengthField(uint64(len(m)), 2, binary.LittleEndian)...), m+"trailer"...)
		},
		kept: func(m string) string { return m + "trailer" }},
	"header is kept": {flag: "length:offset=1,size=2,adjust=0,strip=0,order=big",
		encode: lengthFrame("#", 2, 0, binary.BigEndian),
		kept:   func(m string) string { return string(lengthFrame("#", 2, 0, binary.BigEndian)(m)) }},
	"header is kept in part": {flag: "length:offset=4,size=1,adjust=-5,strip=3,order=big",
		encode: lengthFrame("skip", 1, -5, binary.BigEndian),
		kept:   func(m string) string { return "p" + string(lengthFrame("", 1, -5, binary.BigEndian)(m)) }},
	"varint": {flag: "varint",
		encode: func(m string) []byte { return append(binary.AppendUvarint(nil, uint64(len(m))), m...) }},
}

// TestFramings: the same messages arrive in each framing, sent in small pieces.
func TestFramings(t *testing.T) {
	t.Parallel()
	for name, f := range framings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := []string{"first", "", "x", "with a \r in it", strings.Repeat("long ", 40), "aaaaaaa", "last"}
			random := rand.New(rand.NewPCG(7, 7))
			for i := range 300 {
				messages = append(messages, strings.Repeat("z", random.IntN(100))+fmt.Sprint(i))
			}
			sink := newFileSink(t)
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+f.flag, `--ack-template=A{n}\n`, "--workers=1", "--exit-on-close", sink.flag())
			var stream []byte
			var kept []string
			for _, m := range messages {
				stream = append(stream, f.encode(m)...)
				if f.kept != nil {
					m = f.kept(m)
				}
				kept = append(kept, m)
			}
			c := s.accept()
			c.sendPieces(stream, 7, random)
			checkLineAcks(t, c.rest(), len(messages))
			p.exit(0)
			sink.holds(t, kept...)
		})
	}
}

// TestLongestMessageIsAllowed: --max-message does not count bytes that the framing removes.
func TestLongestMessageIsAllowed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"line LF", "line CRLF", "delim of 8", "length 4", "varint"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, longest := framings[name], strings.Repeat("m", 1024)
			sink := newFileSink(t)
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+f.flag, `--ack-template=A{n}\n`, "--workers=1", "--exit-on-close",
				"--max-message=1KiB", "--memory=4KiB", sink.flag())
			c := s.accept()
			for range 10 {
				c.send(f.encode(longest))
			}
			checkLineAcks(t, c.rest(), 10)
			p.exit(0)
			if got := sink.text(t); got != strings.Repeat(longest+"\n", 10) {
				t.Errorf("the file holds %d bytes", len(got))
			}
		})
	}
}

// TestFramingErrorsReconnect: each ends the connection, is counted by its reason, and the gateway
// reconnects.
func TestFramingErrorsReconnect(t *testing.T) {
	t.Parallel()
	const length8 = "length:offset=0,size=8,adjust=0,strip=8,order=big"
	for name, c := range map[string]struct {
		frame, bytes string
		reasons      []string
	}{
		"length of 64 MiB":       {length8, "\x00\x00\x00\x00\x04\x00\x00\x01", []string{"too_large"}},
		"length of 2^63":         {length8, "\x80\x00\x00\x00\x00\x00\x00\x00", []string{"too_large"}},
		"length of a terabyte":   {length8, "\x00\x00\x01\x00\x00\x00\x00\x00", []string{"too_large"}},
		"length that overflows":  {length8, strings.Repeat("\xff", 8), []string{"bad_length", "too_large"}},
		"length below itself":    {"length:offset=0,size=4,adjust=-4,strip=4,order=big", "\x00\x00\x00\x03", []string{"bad_length"}},
		"length below nothing":   {"length:offset=0,size=2,adjust=-9,strip=2,order=big", "\x00\x00", []string{"bad_length"}},
		"frame less than strip":  {"length:offset=0,size=2,adjust=0,strip=6,order=big", "\x00\x03abc", []string{"bad_length"}},
		"varint without end":     {"varint", strings.Repeat("\xff", 11), []string{"bad_length"}},
		"varint beyond 64 bits":  {"varint", strings.Repeat("\xff", 9) + "\x7f", []string{"bad_length"}},
		"varint of 64 MiB":       {"varint", "\x81\x80\x80\x20", []string{"too_large"}},
		"varint of 2^63 and one": {"varint", "\x81" + strings.Repeat("\x80", 8) + "\x01", []string{"too_large", "bad_length"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+c.frame, `--ack-template=A{n}\n`, "--max-message=1KiB", "--memory=64KiB", "--exit-on-close")
			conn := s.accept()
			conn.send([]byte(c.bytes))
			if got := conn.untilEnd(); got != "" {
				t.Errorf("the gateway sent %q for no message", got)
			}
			again := s.accept()
			eventually(t, fmt.Sprint("one protocol error of ", c.reasons), func() bool {
				counted := 0.0
				for _, reason := range c.reasons {
					counted += p.metric("feedgate_protocol_errors_total", "reason", reason)
				}
				return counted == 1 && p.metric("feedgate_protocol_errors_total") == 1
			})
			again.rest()
			p.exit(0)
		})
	}
}

// TestTruncatedTailIsAnError: an unfinished frame at the end of the stream is counted, its length
// is logged, and the exit status is 1, because the feed is incomplete.
func TestTruncatedTailIsAnError(t *testing.T) {
	t.Parallel()
	tail := strings.Repeat("t", 7919)
	for name, c := range map[string]struct{ frame, stream string }{
		"delim":  {"delim:0a", "one\ntwo\n" + tail},
		"length": {"length:offset=0,size=4,adjust=0,strip=4,order=big", "\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00\x4e\x20" + tail[4:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+c.frame, `--ack-template=A{n}\n`, "--exit-on-close")
			conn := s.accept()
			conn.send([]byte(c.stream))
			checkLineAcks(t, conn.rest(), 2)
			p.exit(1)
			p.waitLog("7919", "reason=truncated", "--exit-on-close")
		})
	}
}

// TestMessagesBeforeAFramingErrorAreProcessed: the sink has every complete message.
func TestMessagesBeforeAFramingErrorAreProcessed(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=length:size=2,adjust=-2", "--workers=1", "--exit-on-close", sink.flag())
	c := s.accept()
	c.send([]byte("\x00\x05one\x00\x05two\x00\x01"))
	if got := c.untilEnd(); got != "" {
		t.Errorf("without an ack template the gateway sent %q", got)
	}
	c = s.accept()
	c.send([]byte("\x00\x07three"))
	c.rest()
	p.exit(0)
	sink.holds(t, "one", "two", "three")
}
