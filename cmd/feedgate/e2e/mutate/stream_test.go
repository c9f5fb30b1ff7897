package mutate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// hello is the --hello of tcp gateways.
const hello = "HELLO\n"

// stream is a framing over tcp. An ack is a line or, with binary, ten bytes.
type stream struct {
	binary bool
	// frame appends a message to a conversation.
	frame func(t *conversation, body []byte)
	// whole returns an upper bound of the number of messages that end in b.
	whole func(b []byte) int
	// clean makes a payload that the framing can carry; nil: it can carry all.
	clean func(body []byte) []byte
	// acked reports whether a message gets an ack; nil: every one does.
	acked func(body []byte) bool
}

func (s stream) requested(got []byte) bool { return len(got) >= len(hello) }

func (s stream) generate(d *rand.Rand, _ []byte, messages int) conversation {
	var t conversation
	for n := range messages {
		body := payload(d, n)
		if s.clean != nil {
			body = s.clean(body)
		}
		if s.acked == nil || s.acked(body) {
			t.keys = append(t.keys, strconv.Itoa(n+1))
		}
		s.frame(&t, body)
	}
	return t
}

func (s stream) judge(sent, got []byte) (map[string]int, error) {
	acked := make(map[string]int)
	if len(got) < len(hello) {
		return acked, nil
	}
	if string(got[:len(hello)]) != hello {
		return acked, fmt.Errorf("the hello is %q", got[:len(hello)])
	}
	got = got[len(hello):]
	for len(got) > 0 {
		if s.binary {
			if len(got) < 10 {
				break
			}
			acked[strconv.FormatUint(binary.BigEndian.Uint64(got), 10)]++
			got = got[10:]
			continue
		}
		line, rest, whole := bytes.Cut(got, []byte("\n"))
		if !whole {
			break
		}
		acked[string(line[bytes.LastIndexByte(line, ' ')+1:])]++
		got = rest
	}
	return acked, atMost(acked, s.whole(sent))
}

// lines is a framing in which messages end with sep.
func lines(sep string) stream {
	return stream{
		frame: func(t *conversation, body []byte) { t.b = append(append(t.b, body...), sep...) },
		whole: func(b []byte) int { return bytes.Count(b, []byte(sep)) },
		clean: func(body []byte) []byte {
			if body = bytes.ReplaceAll(body, []byte(sep), nil); len(body) == 0 {
				return []byte("-") // an empty line may not be a message
			}
			return body
		},
	}
}

// lengths is a framing of messages that follow offset bytes and a length field of size bytes, whose
// value is the length of the message minus adjust.
func lengths(offset, size, adjust int, little bool) stream {
	head := offset + size
	return stream{
		binary: true,
		frame: func(t *conversation, body []byte) {
			if size == 1 {
				body = body[:min(len(body), 200)]
			}
			t.b = append(t.b, make([]byte, offset)...)
			t.put(len(body)-adjust, size, little)
			t.b = append(t.b, body...)
		},
		whole: func(b []byte) (n int) {
			for len(b) >= head {
				field := length{offset, size, little}.get(b)
				total := int64(field) + int64(adjust) + int64(head)
				if field > 1<<40 || total < int64(head) || total > int64(len(b)) {
					break
				}
				b, n = b[total:], n+1
			}
			return n
		},
	}
}

// varints is the framing of protobuf's delimited messages.
var varints = stream{
	frame: func(t *conversation, body []byte) {
		t.lengths = append(t.lengths, length{at: len(t.b), size: 1})
		t.b = append(binary.AppendUvarint(t.b, uint64(len(body))), body...)
	},
	whole: func(b []byte) (n int) {
		for {
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return n
			}
			b, n = b[k+int(size):], n+1
		}
	},
}

// requests is a framing of request parts, one per line, for --assemble=json:id,done,data. Only the
// last part of a request is acked.
var requests = stream{
	frame: lines("\n").frame,
	whole: lines("\n").whole,
	clean: func(body []byte) []byte {
		if len(body) > 0 && len(body) < maxMessage && body[0] == '{' {
			return body
		}
		return []byte(`{"id":"whole","data":"` + marker + `","done":true}`)
	},
	acked: func(body []byte) bool { return bytes.Contains(body, []byte(`"done":true`)) },
}
