package worker

// MaxMessage is the longest message that there can be, in bytes, and so the limit of --max-message.
const MaxMessage = 1 << 30

// Message is one message on its way through a worker.
type Message struct {
	// Data is the message without its framing, or what --output has made of it. It belongs to
	// the gateway, is read-only, and is valid until the message is resolved, also after the
	// handler's Close; if it is never resolved, until the process ends. It is not copied: a
	// handler that changes it and then fails changes it for the next try.
	Data []byte
	// Seq is the feed's number of the message where the protocol has one, else its arrival
	// number on its connection, from 1.
	Seq uint64
	// Tag is a tag that the protocol gave the message when it was framed.
	Tag uint8

	// Where it came from. Small, because messages are passed by value.
	off    uint32  // of its frame in buffer; noHead: it has no head
	buffer *Buffer // nil: it has no metadata
}

// noHead is the off of a message without a head, although the protocol has heads.
const noHead = 1<<32 - 1

// Buffer is memory with frames of one connection. Gateways and tests make messages of it.
type Buffer struct {
	Data   []byte
	Origin *Origin // nil: messages have no metadata
	// Rendered: Data are the frame of one message, and its Data are what --output has made of
	// them.
	Rendered bool
}

// Message is the message whose frame is n bytes from off on. It allocates nothing.
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

// Render is m with text as its data. b, which is Rendered, has the frame of m alone.
func (b *Buffer) Render(m Message, text []byte) Message {
	if m.off != noHead {
		m.off = 0
	}
	m.Data, m.buffer = text, b
	return m
}

// origin is what the message has in common with others of its connection; nil: nothing.
func (m Message) origin() *Origin {
	if m.buffer == nil {
		return nil
	}
	return m.buffer.Origin
}

// Received is the data as received, also where --output has made Data of them. It is valid as long
// as Data.
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

// Head is the part of the message's frame before the data, for [Metadata]. It is empty if there is
// none, or if the gateway has left it out.
func (m Message) Head() []byte {
	split := m.origin().split()
	if split == nil || m.off == noHead {
		return nil
	}
	head, _ := split(m.buffer.Data[m.off:])
	return head
}

// Upstream is the label of the upstream that sent the message.
func (m Message) Upstream() string {
	if o := m.origin(); o != nil {
		return o.Upstream
	}
	return ""
}

// Session is the server's name of the session in which the message was sent; empty: it has none.
func (m Message) Session() string {
	if o := m.origin(); o != nil {
		return o.Session
	}
	return ""
}

// Message makes a message of one frame, to which it refers.
func (o *Origin) Message(frame []byte, seq uint64, tag uint8) Message {
	b := &Buffer{Data: frame, Origin: o}
	return b.Message(0, uint32(len(frame)), seq, tag)
}
