package mutate

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"feedgate/gateway/wire/fg1"
)

// fg is FG/1.
type fg struct{}

func (fg) requested(got []byte) bool {
	return len(got) >= fg1.HeaderSize && int64(len(got)-fg1.HeaderSize) >= fg1.ParseHeader(got).Payload()
}

func (fg) generate(d *rand.Rand, _ []byte, messages int) conversation {
	var t conversation
	first := uint64(1 + d.IntN(50))
	session := []string{`"session":"steady",`, `"session":"` + strconv.Itoa(d.IntN(1<<30)) + `",`, ""}[d.IntN(3)]
	t.frame(fg1.Welcome, 0, first, fmt.Sprintf(`{%s"heartbeat_ms":%d,"acks":["each","range"]}`, session, 100+d.IntN(10_000)))
	for n := range messages {
		seq := first + uint64(n)
		t.keys = append(t.keys, strconv.FormatUint(seq, 10))
		body := payload(d, n)
		for d.IntN(8) == 0 {
			cut := d.IntN(len(body) + 1)
			t.frame(fg1.Data, fg1.More, seq, string(body[:cut]))
			body = body[cut:]
			if d.IntN(3) == 0 {
				t.frame(fg1.Ping, 0, d.Uint64(), "")
			}
		}
		t.frame(fg1.Data, 0, seq, string(body))
		if d.IntN(30) == 0 {
			t.frame([]fg1.Op{fg1.Ping, fg1.Pong}[d.IntN(2)], 0, d.Uint64(), marker[:d.IntN(len(marker))])
		}
	}
	if d.IntN(2) == 0 {
		t.frame(fg1.Bye, 0, 0, "")
	}
	return t
}

func (t *conversation) frame(op fg1.Op, flags uint8, seq uint64, payload string) {
	t.lengths = append(t.lengths, length{at: len(t.b), size: 4}, length{at: len(t.b) + 8, size: 8})
	t.b = fg1.AppendFrame(t.b, op, flags, 0, seq, []byte(payload))
}

// whole returns the numbers of the messages that end in b, each with its arrival number from 1, up
// to the first invalid frame.
func (fg) whole(b []byte) map[uint64]int {
	arrivals := make(map[uint64]int)
	for len(b) >= fg1.HeaderSize {
		h := fg1.ParseHeader(b)
		size := int64(fg1.HeaderSize) + h.Payload()
		if h.Payload() < 0 || size > int64(len(b)) {
			break
		}
		if h.Op == fg1.Data && h.Flags&fg1.More == 0 && arrivals[h.Seq] == 0 {
			arrivals[h.Seq] = len(arrivals) + 1
		}
		b = b[size:]
	}
	return arrivals
}

func (f fg) judge(sent, got []byte) (map[string]int, error) {
	whole := f.whole(sent)
	acked := make(map[string]int)
	var last fg1.Op
	for i := 0; len(got) >= fg1.HeaderSize; i++ {
		h := fg1.ParseHeader(got)
		size := int64(fg1.HeaderSize) + h.Payload()
		if h.Payload() < 0 || h.Payload() > 4096 || (h.Op == fg1.Hello) != (i == 0) || last == fg1.Bye {
			return acked, fmt.Errorf("frame %d of the gateway, after op %d: %+v", i, last, h)
		}
		if size > int64(len(got)) {
			break
		}
		got, last = got[size:], h.Op
		switch h.Op {
		case fg1.Ack:
			key := strconv.FormatUint(h.Seq, 10)
			if acked[key]++; whole[h.Seq] == 0 || acked[key] > 1 {
				return acked, fmt.Errorf("ack %d of message %s, which was sent whole: %t", acked[key], key, whole[h.Seq] > 0)
			}
		case fg1.AckTo:
			if whole[h.Seq] == 0 {
				return acked, fmt.Errorf("a cumulative ack of message %d, which was not sent whole", h.Seq)
			}
			// Lower numbers that arrive later fill a gap, and have their own acks.
			for seq, arrival := range whole {
				if key := strconv.FormatUint(seq, 10); seq <= h.Seq && arrival <= whole[h.Seq] && acked[key] == 0 {
					acked[key] = 1
				}
			}
		case fg1.Hello, fg1.Ping, fg1.Pong, fg1.Bye:
		default:
			return acked, fmt.Errorf("frame %d of the gateway has op %d", i, h.Op)
		}
	}
	return acked, nil
}
