package stream

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// refConfig is a framing for the reference decoders.
type refConfig struct {
	max, longest int
	ignore       string
	skipEmpty    bool
}

// refFrame is the first frame of b: its message and its length in the stream; 0 if it is
// incomplete. reason is why it is a protocol error.
type refFrame func(b []byte, limit int) (msg []byte, size int, reason string)

// reference decodes a stream frame by frame.
func reference(c refConfig, stream []byte, first refFrame) (r wiretest.Result, reason string, pos int) {
	for {
		msg, size, reason := first(stream[pos:], c.longest)
		if reason != "" || size == 0 {
			return r, reason, pos
		}
		c.take(&r, msg)
		pos += size
	}
}

// take takes a whole message.
func (c refConfig) take(r *wiretest.Result, msg []byte) {
	m := wiretest.Message{Seq: uint64(len(r.Msgs) + 1), Data: msg}
	switch {
	case len(msg) > c.max:
		m.Data, m.Code = nil, worker.TooLarge
		r.Skipped++
		r.Longest = max(r.Longest, uint64(len(msg)))
	case c.ignore != "" && bytes.HasPrefix(msg, []byte(c.ignore)), c.skipEmpty && len(msg) == 0:
		return
	}
	r.Msgs = append(r.Msgs, m)
}

func refLine(b []byte, limit int) (msg []byte, size int, reason string) {
	msg, _, whole := bytes.Cut(b, []byte("\n"))
	if whole {
		size = len(msg) + 1
	}
	msg = bytes.TrimSuffix(msg, []byte("\r"))
	if len(msg) > limit {
		return nil, 0, wire.TooLarge
	}
	return msg, size, ""
}

func refDelim(delim []byte) refFrame {
	return func(b []byte, limit int) (msg []byte, size int, reason string) {
		for i := 0; i+len(delim) <= len(b); i++ {
			if i > limit {
				return nil, 0, wire.TooLarge
			}
			if bytes.Equal(b[i:i+len(delim)], delim) {
				return b[:i], i + len(delim), ""
			}
		}
		if len(b)-len(delim) >= limit {
			return nil, 0, wire.TooLarge
		}
		return nil, 0, ""
	}
}

func refLength(l layout) refFrame {
	return func(b []byte, limit int) (msg []byte, size int, reason string) {
		header := l.offset + l.size
		if len(b) < header {
			return nil, 0, ""
		}
		raw := bytes.Clone(b[l.offset:header])
		if l.little {
			slices.Reverse(raw)
		}
		length := new(big.Int).SetBytes(raw)
		sum := new(big.Int).Add(length, big.NewInt(int64(max(l.adjust+header, 0))))
		frame := new(big.Int).Add(length, big.NewInt(int64(l.adjust+header)))
		message := new(big.Int).Sub(frame, big.NewInt(int64(l.strip)))
		switch {
		case sum.BitLen() > 64, frame.Cmp(big.NewInt(int64(header))) < 0, message.Sign() < 0:
			return nil, 0, wire.BadLength
		case message.Cmp(big.NewInt(int64(limit))) > 0:
			return nil, 0, wire.TooLarge
		}
		if n := int(frame.Int64()); n <= len(b) {
			return b[l.strip:n], n, ""
		}
		return nil, 0, ""
	}
}

func refVarint(b []byte, limit int) (msg []byte, size int, reason string) {
	length := new(big.Int)
	for i, c := range b {
		if i == 10 {
			return nil, 0, wire.BadLength
		}
		length.Or(length, new(big.Int).Lsh(big.NewInt(int64(c&0x7f)), uint(7*i)))
		if c < 0x80 {
			switch {
			case length.BitLen() > 64:
				return nil, 0, wire.BadLength
			case length.Cmp(big.NewInt(int64(limit))) > 0:
				return nil, 0, wire.TooLarge
			}
			if end := i + 1 + int(length.Int64()); end <= len(b) {
				return b[i+1 : end], end, ""
			}
			return nil, 0, ""
		}
	}
	if len(b) == 10 {
		return nil, 0, wire.BadLength
	}
	return nil, 0, ""
}

// compare decodes a stream whole and as planned, and compares both with the reference.
func compare(t wiretest.T, frame string, c refConfig, stream []byte, plan wiretest.Plan, first refFrame) {
	t.Helper()
	for _, lastLine := range []bool{false, true} {
		parsed, err := parse(Config{Frame: frame, IgnorePrefix: hexEscape(c.ignore), MaxMessage: int64(c.max), LastLine: lastLine})
		if err != nil {
			t.Fatalf("%v", err)
		}
		parsed.longest = uint64(c.longest)
		p := parsed.codec()
		overhead := 10
		if l, ok := p.NewConn().(*conn).framer.(*lengths); ok {
			overhead = max(l.strip, l.offset+l.size)
		}
		limit := c.max + overhead
		whole, wholeEnd := runToEnd(t, p, stream, wiretest.Whole(len(stream)).WithLimit(limit))
		split, splitEnd := runToEnd(t, p, stream, plan.WithLimit(limit))
		wiretest.Compare(t, split, whole)

		want, reason, pos := reference(c, stream, first)
		want.Events = []wiretest.Event{{Event: wire.Event{Kind: wire.EventReady, First: 1, Each: true}}}
		want.Rest = whole.Rest
		end := "<nil>"
		name := fmt.Sprintf("message %d at byte %d:", len(want.Msgs)+1, pos)
		switch rest := stream[pos:]; {
		case reason != "":
			fault := whole.Err
			if fault == nil || fault.Reason != reason || !bytes.HasPrefix([]byte(fault.Detail), []byte(name)) {
				t.Fatalf("error %v, want one of %s (%s)", whole.Err, name, reason)
			}
			want.Err = whole.Err
		case len(rest) == 0:
		case lastLine && parsed.lastLine:
			c.take(&want, bytes.TrimSuffix(rest, []byte("\r")))
			want.Rest = 0
		default:
			end = fmt.Sprintf("%s the stream ended after %d bytes of it (truncated)", name, len(rest))
		}
		if reason == "" && (wholeEnd != end || splitEnd != end) {
			t.Fatalf("the end is %s, split it is %s, want %s", wholeEnd, splitEnd, end)
		}
		wiretest.Compare(t, whole, want)
	}
}

// runToEnd feeds a stream and its end, and returns the text of the end's fault.
func runToEnd(t wiretest.T, p *wire.Codec, stream []byte, plan wiretest.Plan) (r wiretest.Result, end string) {
	t.Helper()
	d := wiretest.New(t, p.NewConn(), wire.Hello{}, plan)
	if d.Feed(stream) != nil {
		return d.Result, ""
	}
	fault := d.End(true)
	return d.Result, fmt.Sprint(fault)
}

func hexEscape(s string) string {
	out := ""
	for _, c := range []byte(s) {
		out += fmt.Sprintf(`\x%02x`, c)
	}
	return out
}
