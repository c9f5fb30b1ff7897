package worker

// MaxMessage is the upper limit of --max-message: no message is longer, in bytes.
const MaxMessage = 1 << 30

// Message is one message. It is passed by value; copies share Data.
type Message struct {
	// Data is the message without its framing, or what the template --output makes of it. The
	// memory belongs to the gateway and is read-only. It is valid until the message is
	// resolved; if that never happens, until the process ends, also after the handler's Close.
	// A handler that changes Data and then fails finds the change at the next try.
	Data []byte
	// Seq is the server's sequence number if the protocol has one, else the message's arrival
	// number on its connection, from 1.
	Seq uint64
	// Tag is set by the protocol, which alone knows its meaning.
	Tag uint8

	// Where it came from: two words, because messages are passed by value.
	off    uint32  // of its frame in buffer.Data; noHead: it has no head
	buffer *Buffer // nil: it has no metadata
}

// noHead is the off of a message without a head whose protocol has heads.
const noHead = 1<<32 - 1

// Buffer is memory with frames of one connection, from which gateways and tests make messages.
type Buffer struct {
	Data   []byte
	Origin *Origin // nil: messages have no metadata
	// Rendered: Data is the frame of one message, and the Data of that message is what --output
	// has made of it.
	Rendered bool
}

// Message returns the message whose frame is the n bytes at off. It does not allocate.
func (b *Buffer) Message(off, n uint32, seq uint64, tag uint8) Message {
	end := uint64(off) + uint64(n)
	frame := b.Data[off:end:end]
	if split := b.Origin.split(); split != nil {
		return b.headed(split, frame, off, seq, tag)
	}
	return Message{Data: frame, Seq: seq, Tag: tag, off: off, buffer: b}
}

func (b *Buffer) headed(split func([]byte) (head, data []byte), frame []byte, off uint32, seq uint64, tag uint8) Message {
	head, data := split(frame)
	if len(head) == 0 {
		off = noHead
	}
	return Message{Data: data, Seq: seq, Tag: tag, off: off, buffer: b}
}

// Render returns m with rendered as its Data. b, which is Rendered, holds the frame of m alone.
func (b *Buffer) Render(m Message, rendered []byte) Message {
	if m.off != noHead {
		m.off = 0
	}
	m.Data, m.buffer = rendered, b
	return m
}

// origin returns what m shares with the other messages of its connection; nil: nothing.
func (m Message) origin() *Origin {
	if m.buffer == nil {
		return nil
	}
	return m.buffer.Origin
}

// Received returns the data as received, also if --output has replaced Data. It is valid as long as
// Data.
func (m Message) Received() []byte {
	if m.buffer == nil || !m.buffer.Rendered {
		return m.Data
	}
	if split := m.origin().split(); split != nil {
		_, data := split(m.buffer.Data)
		return data
	}
	return m.buffer.Data
}

// Head returns the part of the frame before the data, from which [Metadata] takes values. It is
// empty if the protocol has no heads, or if nobody uses metadata and the gateway left it out.
func (m Message) Head() []byte {
	split := m.origin().split()
	if split == nil || m.off == noHead {
		return nil
	}
	head, _ := split(m.buffer.Data[m.off:])
	return head
}

// Upstream returns the label of the upstream that sent the message; empty in tests without one.
func (m Message) Upstream() string {
	if o := m.origin(); o != nil {
		return o.Upstream
	}
	return ""
}

// Session returns the server's name of the session in which it sent the message; empty if the
// protocol has no sessions.
func (m Message) Session() string {
	if o := m.origin(); o != nil {
		return o.Session
	}
	return ""
}

// Message returns a message made of one frame, which it refers to. It is for tests of protocols.
func (o *Origin) Message(frame []byte, seq uint64, tag uint8) Message {
	b := &Buffer{Data: frame, Origin: o}
	return b.Message(0, uint32(len(frame)), seq, tag)
}
