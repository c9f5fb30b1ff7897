package worker

// Code is the outcome of a message: OK, or why it was refused.
type Code uint16

// Outcomes as FG/1 numbers them. A handler completes messages with OK, Refused,
// BadRequest, or a code from CodeHandler to CodeHandlerLast; anything else counts as
// Refused.
const (
	OK           Code = 0 // done
	Refused      Code = 1 // the handler will not have it, or panicked
	BadRequest   Code = 2
	TooLarge     Code = 3
	DeadLettered Code = 7
	CodeHandler  Code = 1000
	// Returned is in the reply for messages that were given back: no handler had them.
	Returned Code = 1<<16 - 1
	// CodeHandlerLast is the last of the codes that belong to handlers.
	CodeHandlerLast Code = 8191
)

// ForHandlers reports whether a handler may complete a message with the code. The
// others mean something that a handler cannot know.
func (c Code) ForHandlers() bool {
	return c <= BadRequest || c >= CodeHandler && c <= CodeHandlerLast
}

// Message is one message on its way through a worker.
type Message struct {
	// Data is the message without its framing, or what --output has made of it. It belongs
	// to the gateway, is read-only, and is valid until the message is completed, also after
	// the handler's Close. What is not completed by then keeps its pages until the process
	// ends.
	Data []byte
	// Seq is the feed's number of the message where the protocol has one, else
	// its arrival number on its connection, from 1.
	Seq uint64
	// Aux is what the protocol noted about the message when it was framed.
	Aux uint8

	// Where it came from. Little, as messages are passed by value.
	off    uint32  // of its frame in source's data; noHead: it has no head
	source *source // nil: it has no metadata
}

// source is bytes in which the frames of messages lie, and whose they are.
type source struct {
	Data     []byte
	Origin   *Origin // of all messages: they are of one connection
	rendered bool    // Data are the frame of one message, whose Data --output has made of it
}

// noHead in Message.off says that there is no head, although the protocol has them.
const noHead = 1<<32 - 1

// Desc describes a message that lies in a slab.
type Desc struct {
	Seq  uint64 // as in Message
	Slot uint32 // low half of the message's slot in the gateway's in-flight window
	Off  uint32 // where its data lie in the slab
	Len  uint32
	Slab uint16 // index in Slabs
	Aux  uint8  // as in Message
}

// run is messages with consecutive numbers and slots, in one slab: the first,
// and where each one's data lie.
type run struct {
	first Desc // Off and Len are of no meaning
	spans []span
}

// span is offset and length of a message's data: offset<<32 | length.
type span = uint64

// Span packs offset and length.
func Span(off, length uint32) uint64 { return uint64(off)<<32 | uint64(length) }

// at is the i-th message of the run.
func (r *run) at(i int) Desc {
	d := r.first
	d.Seq += uint64(i)
	d.Slot += uint32(i)
	d.Off, d.Len = uint32(r.spans[i]>>32), uint32(r.spans[i])
	return d
}

// cut takes the first n messages off the run.
func (r *run) cut(n int) run {
	head := run{r.first, r.spans[:n]}
	r.spans = r.spans[n:]
	r.first.Seq += uint64(n)
	r.first.Slot += uint32(n)
	return head
}
