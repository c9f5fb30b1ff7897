package feedserver

import (
	"encoding/binary"
	"encoding/json"

	"feedgate/gateway/wire/fg1"
)

// fgProtocol is the server's side of FG/1.
type fgProtocol struct {
	parts       int // frames per message
	heartbeatMS int64
	acks        []string
}

func newFG(cfg *Config) protocol {
	return &fgProtocol{parts: cfg.Parts, heartbeatMS: cfg.Heartbeat.Milliseconds(), acks: cfg.Acks}
}

func (*fgProtocol) traits() traits {
	return traits{login: true, named: true, pings: true, bye: true}
}

func (p *fgProtocol) newCodec() codec { return &fgCodec{proto: p} }

func (p *fgProtocol) appendMessage(dst []byte, _ int, payload, _ []byte) []byte {
	size := (len(payload) + p.parts - 1) / p.parts
	for range p.parts - 1 {
		k := min(size, len(payload))
		dst = fg1.AppendFrame(dst, fg1.Data, fg1.More, 0, 0, payload[:k])
		payload = payload[k:]
	}
	return fg1.AppendFrame(dst, fg1.Data, 0, 0, 0, payload)
}

// fgCodec is the protocol state of an FG/1 connection.
type fgCodec struct {
	proto    *fgProtocol
	tail     tail
	loggedIn bool

	// block is the connection's copy of rendered messages, because their sequence numbers change from
	// batch to batch. It contains the whole stream if whole is set, else the last batch.
	block []byte
	whole bool
}

// headerWord returns the first 8 bytes of a header, all fields but seq, and seqOf the other 8. Comparing
// a word costs a fraction of decoding each field, and most frames that the feed reads are acks.
func headerWord(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
func seqOf(b []byte) uint64      { return binary.BigEndian.Uint64(b[8:]) }

// ackWord is the headerWord of an ACK with code 0.
var ackWord = headerWord(fg1.AppendFrame(nil, fg1.Ack, 0, fg1.CodeOK, 0, nil))

// scanAcks returns how many ACKs with code 0 and consecutive numbers b begins with, and the first
// number.
func scanAcks(b []byte) (seq, n uint64) {
	if len(b) < fg1.HeaderSize || headerWord(b) != ackWord {
		return 0, 0
	}
	seq = seqOf(b)
	for {
		n++
		b = b[fg1.HeaderSize:]
		if len(b) < fg1.HeaderSize || headerWord(b) != ackWord || seqOf(b) != seq+n {
			return seq, n
		}
	}
}

func (c *fgCodec) read(b []byte, r receiver) error {
	b = c.tail.join(b)
	for {
		if seq, n := scanAcks(b); n > 0 && c.loggedIn {
			r.acks(seq, n, fg1.CodeOK)
			b = b[n*fg1.HeaderSize:]
			continue
		}
		if len(b) < fg1.HeaderSize {
			break
		}
		h := fg1.ParseHeader(b)
		size := h.Payload()
		if size < 0 || size > maxFrame {
			return faultf(fg1.CodeProtocolError, "frame with length field %d", h.Length)
		}
		end := fg1.HeaderSize + int(size)
		if len(b) < end {
			break
		}
		if err := c.frame(h, b[fg1.HeaderSize:end], r); err != nil {
			return err
		}
		b = b[end:]
	}
	c.tail.keep(b)
	return nil
}

// frame handles a whole frame.
func (c *fgCodec) frame(h fg1.Header, payload []byte, r receiver) error {
	if h.Flags != 0 {
		return faultf(fg1.CodeProtocolError, "frame of op %d with flags %#x", h.Op, h.Flags)
	}
	if !c.loggedIn {
		if h.Op != fg1.Hello {
			return faultf(fg1.CodeProtocolError, "op %d before HELLO", h.Op)
		}
		c.loggedIn = true
		return c.hello(h, payload, r)
	}
	switch h.Op {
	case fg1.Ack:
		r.acks(h.Seq, 1, h.Code)
	case fg1.AckTo:
		r.acksTo(h.Seq)
	case fg1.Ping:
		r.reply(func(dst []byte) []byte {
			return fg1.AppendFrame(dst, fg1.Pong, 0, 0, h.Seq, nil)
		})
	case fg1.Pong:
	case fg1.Bye:
		r.bye(h.Code)
	default:
		return faultf(fg1.CodeProtocolError, "unexpected op %d", h.Op)
	}
	return nil
}

// hello handles the login.
func (c *fgCodec) hello(h fg1.Header, payload []byte, r receiver) error {
	var in struct {
		Version int    `json:"version"`
		Client  string `json:"client"`
		Session string `json:"session"`
		Token   string `json:"token"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return faultf(fg1.CodeBadRequest, "HELLO with a payload of %d bytes that is not valid JSON", len(payload))
	}
	if in.Version != 1 {
		return faultf(fg1.CodeBadRequest, "HELLO with version %d, want 1", in.Version)
	}
	return r.login(hello{client: in.Client, session: in.Session, seq: h.Seq, token: in.Token})
}

func (*fgCodec) start(uint64) {}

func (c *fgCodec) render(b *batch, st *stream, seq, n uint64, limit int) {
	st.cut(b, seq, n, limit)
	if len(st.bytes) <= 2*blockBytes {
		if !c.whole {
			c.block, c.whole = append(c.block, st.bytes...), true
		}
		b.buf = c.block[b.begin:][:len(b.buf)]
	} else {
		c.block = append(c.block[:0], b.buf...)
		b.buf = c.block
	}
	if st.stride > 0 && c.proto.parts == 1 {
		size := st.stride - fg1.HeaderSize
		for rest := b.buf; len(rest) > 0; rest = rest[st.stride:] {
			fg1.PutHeader(rest, fg1.Data, 0, 0, seq, size)
			seq++
		}
		return
	}
	for rest := b.buf; len(rest) > 0; {
		h := fg1.ParseHeader(rest)
		fg1.PutHeader(rest, h.Op, h.Flags, 0, seq, int(h.Payload()))
		if h.Flags&fg1.More == 0 {
			seq++
		}
		rest = rest[fg1.HeaderSize+int(h.Payload()):]
	}
}

func (c *fgCodec) appendWelcome(dst []byte, w welcome) []byte {
	payload, err := json.Marshal(struct {
		Session     string   `json:"session"`
		HeartbeatMS int64    `json:"heartbeat_ms"`
		Acks        []string `json:"acks"`
	}{w.session, c.proto.heartbeatMS, c.proto.acks})
	if err != nil {
		panic(err) // strings and numbers
	}
	return fg1.AppendFrame(dst, fg1.Welcome, 0, 0, w.first, payload)
}

func (*fgCodec) appendPing(dst []byte, seq uint64) []byte {
	return fg1.AppendFrame(dst, fg1.Ping, 0, 0, seq, nil)
}

func (*fgCodec) appendBye(dst []byte, code uint16) []byte {
	return fg1.AppendFrame(dst, fg1.Bye, 0, code, 0, nil)
}
