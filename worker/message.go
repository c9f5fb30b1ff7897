package worker

// Code is the outcome of a message: OK, or why it was refused.
type Code uint16

// Outcomes as FG/1 numbers them; from CodeHandler on they belong to handlers.
const (
	OK           Code = 0 // done
	Refused      Code = 1 // the handler will not have it, or panicked
	BadRequest   Code = 2
	TooLarge     Code = 3
	DeadLettered Code = 7
	CodeHandler  Code = 1000
)

// Message is one message on its way through a worker.
type Message struct {
	// Data is the message without its framing. It belongs to the gateway, is
	// read-only, and is valid until the message is completed.
	Data []byte
	// Seq is the feed's number of the message where the protocol has one, else
	// its arrival number on its connection, from 1.
	Seq uint64
	// Aux is what the protocol noted about the message when it was framed.
	Aux uint16
}

// Desc describes a message in the ring from the loop to a worker: 24 bytes and
// no pointer.
type Desc struct {
	Seq   uint64 // as in Message
	Place uint32 // low half of the message's place in the in-flight window
	Off   uint32 // where its data lie in the slab
	Len   uint32
	Slab  uint16 // index in Slabs
	Aux   uint16 // as in Message
}
