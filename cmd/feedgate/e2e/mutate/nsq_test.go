package mutate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"unicode"
)

// nsq is nsqd's protocol V2. With secure, its conversation begins after the TLS handshake.
type nsq struct{ secure bool }

// Types of frames.
const (
	nsqResponse = 0
	nsqError    = 1
	nsqMessage  = 2
)

const nsqIDSize = 16

func (n nsq) requested(got []byte) bool {
	const head = len("  V2IDENTIFY\n") + 4
	return n.secure || len(got) >= head && len(got)-head >= int(binary.BigEndian.Uint32(got[head-4:]))
}

// identified returns a response to IDENTIFY.
func identified(d *rand.Rand, secure bool) string {
	return fmt.Sprintf(`{"max_rdy_count":%d,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":%d,"tls_v1":%t,`+
		`"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,"auth_required":false,`+
		`"output_buffer_size":65536,"output_buffer_timeout":25}`, 1+d.IntN(5000), 1000+d.IntN(60_000), secure)
}

func (n nsq) generate(d *rand.Rand, _ []byte, messages int) conversation {
	var t conversation
	if !n.secure {
		t.nsqFrame(nsqResponse, []byte(identified(d, false)))
	} else {
		t.nsqFrame(nsqResponse, []byte("OK"))
	}
	t.nsqFrame(nsqResponse, []byte("OK"))
	for range messages {
		id := fmt.Sprintf("%016x", d.Uint64())
		t.keys = append(t.keys, id)
		head := binary.BigEndian.AppendUint64(nil, d.Uint64())
		head = binary.BigEndian.AppendUint16(head, uint16(1+d.IntN(3)))
		t.nsqFrame(nsqMessage, append(append(head, id...), payload(d, len(t.keys))...))
		switch d.IntN(40) {
		case 0:
			t.nsqFrame(nsqResponse, []byte("_heartbeat_"))
		case 1:
			complaint := []string{"E_FIN_FAILED FIN 0 failed", "E_TOUCH_FAILED TOUCH", "E_REQ_FAILED REQ"}[d.IntN(3)]
			t.nsqFrame(nsqError, []byte(complaint))
		}
	}
	return t
}

func (t *conversation) nsqFrame(kind uint32, body []byte) {
	t.put(4+len(body), 4, false)
	t.b = append(binary.BigEndian.AppendUint32(t.b, kind), body...)
}

// rename replaces the marker in texts that the gateway may log: those of error frames, up to their
// first control character. A mutation can put a part of a message there, which then is the server's
// own text. If a length or a type is mutated instead, the text has the message's header first.
func (nsq) rename(b []byte) {
	for len(b) >= 8 {
		size := int64(int32(binary.BigEndian.Uint32(b)))
		if size < 4 {
			return
		}
		end := min(4+size, int64(len(b)))
		if binary.BigEndian.Uint32(b[4:]) == nsqError {
			text := b[8:end]
			if at := bytes.IndexFunc(text, unicode.IsControl); at >= 0 {
				text = text[:at]
			}
			copy(text, bytes.ReplaceAll(text, []byte(marker), bytes.ToLower([]byte(marker))))
		}
		b = b[end:]
	}
}

// judge: an ID that was sent several times may be acked as many times.
func (n nsq) judge(sent, got []byte) (map[string]int, error) {
	acked := make(map[string]int)
	for _, magic := range []string{"  V2", "IDENTIFY\n"} {
		if !n.secure {
			got = bytes.TrimPrefix(got, []byte(magic))
		}
	}
	if !n.secure && len(got) > 4 {
		got = got[min(len(got), 4+int(binary.BigEndian.Uint32(got))):]
	}
	for len(got) > 0 {
		command, _, found := bytes.Cut(got, []byte(" "))
		key := ""
		switch {
		case found && (string(command) == "FIN" || string(command) == "REQ"):
			if len(got) < len("FIN ")+nsqIDSize {
				return acked, nil
			}
			key = string(got[len("FIN "):][:nsqIDSize]) // may hold any byte
			got = got[len("FIN ")+nsqIDSize:]
			acked[key]++
			if times := occurrences(sent, key); acked[key] > times {
				return acked, fmt.Errorf("%s %d of ID %q, which was sent %d times", command, acked[key], key, times)
			}
		case found && string(command) == "TOUCH":
			got = got[min(len(got), len("TOUCH ")+nsqIDSize):]
		}
		rest, more, whole := bytes.Cut(got, []byte("\n"))
		if !whole {
			break
		}
		if key == "" && !known(rest) {
			return acked, fmt.Errorf("the gateway sent %.40q", rest)
		}
		got = more
	}
	return acked, nil
}

func known(command []byte) bool {
	for _, begin := range []string{"", "SUB ", "RDY ", "NOP", "CLS"} {
		if begin == "" && len(command) == 0 || begin != "" && bytes.HasPrefix(command, []byte(begin)) {
			return true
		}
	}
	return false
}

// occurrences counts occurrences of key, including overlapping ones.
func occurrences(b []byte, key string) (n int) {
	for {
		at := bytes.Index(b, []byte(key))
		if at < 0 {
			return n
		}
		b, n = b[at+1:], n+1
	}
}
