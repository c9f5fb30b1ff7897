package stream

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// refConfig is a framing as the reference decoders take it.
type refConfig struct {
	max    int
	ignore string
}

// refFrame is the first frame of b: its message and its length in the stream, 0
// when it is not whole. reason is why it is a protocol error.
type refFrame func(b []byte, limit int) (msg []byte, size int, reason string)

// reference decodes a stream frame by frame.
func reference(c refConfig, stream []byte, first refFrame) (r wiretest.Result, reason string, pos int) {
	for {
		msg, size, reason := first(stream[pos:], c.max)
		if reason != "" || size == 0 {
			r.Rest = len(stream) - pos
			return r, reason, pos
		}
		if c.ignore != "" && bytes.HasPrefix(msg, []byte(c.ignore)) {
			r.Ignored++
		} else {
			r.Msgs = append(r.Msgs, wiretest.Message{Seq: uint64(len(r.Msgs) + 1), Data: msg})
		}
		pos += size
	}
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

// compare decodes a stream whole and as planned, and holds both to the reference.
func compare(t wiretest.T, frame string, c refConfig, stream []byte, plan wiretest.Plan, first refFrame) {
	t.Helper()
	p, err := New(Config{Frame: frame, IgnorePrefix: hexEscape(c.ignore), MaxMessage: int64(c.max)})
	if err != nil {
		t.Fatalf("%v", err)
	}
	overhead := 10
	if l, ok := p.NewConn().(*conn).framer.(*lengths); ok {
		overhead = max(l.strip, l.offset+l.size)
	}
	limit := c.max + overhead
	whole := wiretest.Run(t, p.NewConn(), stream, wiretest.Whole(len(stream)).WithLimit(limit))
	split := wiretest.Run(t, p.NewConn(), stream, plan.WithLimit(limit))
	wiretest.Compare(t, split, whole)

	want, reason, pos := reference(c, stream, first)
	want.Events = []wiretest.Event{{Event: wire.Event{Kind: wire.EventReady, First: 1, Each: true}}}
	if reason != "" {
		var fault *wire.Error
		name := fmt.Sprintf("message %d at byte %d:", len(want.Msgs)+1, pos)
		if !errors.As(whole.Err, &fault) || fault.Reason != reason || !bytes.HasPrefix([]byte(fault.Detail), []byte(name)) {
			t.Fatalf("error %v, want one of %s (%s)", whole.Err, name, reason)
		}
		want.Err = whole.Err
	}
	wiretest.Compare(t, whole, want)
}

func hexEscape(s string) string {
	out := ""
	for _, c := range []byte(s) {
		out += fmt.Sprintf(`\x%02x`, c)
	}
	return out
}
