package feedserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// protocol is the server's side of a wire format.
type protocol interface {
	traits() traits

	// appendMessage appends the frames of a message, with an arbitrary sequence number if the protocol
	// has one. i is its index in the stream, from 0. end is its line end, for protocols with lines.
	appendMessage(dst []byte, i int, payload, end []byte) []byte

	// newCodec returns the state of a new connection.
	newCodec() codec
}

// traits are a protocol's fixed properties.
type traits struct {
	// login: a client must send a login before it receives messages.
	login bool
	// named: at login, clients name the session that they resume. Otherwise a client gets the session
	// that was suspended first, or a new one.
	named bool
	// pings: a client answers PINGs, so silence means that it is dead. Otherwise it may be silent while
	// it has acknowledged everything.
	pings bool
	// bye: the protocol has an end frame (BYE, Close), sent after the last ack. Otherwise the end is
	// that of the stream, right after the last message.
	bye bool
	// byeReply: each side answers the other's end frame with one, and the sending side is closed only
	// then.
	byeReply bool
}

// codec is the protocol state of one connection. Append methods append a frame to dst, like append, or
// nothing if the protocol has no such frame.
type codec interface {
	// read consumes all of b, keeps an unfinished frame, and reports whole ones to r. A *fault ends the
	// connection.
	read(b []byte, r receiver) error

	// start sets the number of the connection's first message.
	start(first uint64)

	// render sets b to the messages of st from seq on, as stream.cut does. The bytes are valid until the
	// next call.
	render(b *batch, st *stream, seq, n uint64, limit int)

	appendWelcome(dst []byte, w welcome) []byte
	appendPing(dst []byte, seq uint64) []byte
	appendBye(dst []byte, code uint16) []byte
}

// receiver handles the frames that a codec reads. If the protocol has a login, the codec calls login
// first, and returns its error.
type receiver interface {
	login(h hello) error
	acks(seq, n uint64, code uint16) // of n messages from seq on
	acksTo(seq uint64)
	reply(frame func(dst []byte) []byte)
	bye(code uint16)
}

// hello is a client's login.
type hello struct {
	client, session string
	seq             uint64 // last contiguous acknowledged; 0: none
	token           string
}

// welcome is the answer to a hello.
type welcome struct {
	session string
	first   uint64
}

// fault is a protocol violation by a client.
type fault struct {
	code uint16 // of the end frame
	text string
}

func (f *fault) Error() string { return f.text }

func faultf(code uint16, format string, args ...any) error {
	return &fault{code, fmt.Sprintf(format, args...)}
}

// protocols are the constructors of all protocols, by name.
var protocols = map[string]func(cfg *Config) protocol{
	"fg":     newFG,
	"line":   newLine,
	"length": newLength,
	"ws":     newWS,
}

// protocolNames lists the names of all protocols.
func protocolNames() string {
	return strings.Join(slices.Sorted(maps.Keys(protocols)), ", ")
}

// maxFrame is the longest frame or line of a client, in bytes.
const maxFrame = 64 << 10

// tail keeps an unfinished frame until the next read.
type tail struct{ kept []byte }

// join returns the kept bytes followed by b.
func (t *tail) join(b []byte) []byte {
	if len(t.kept) == 0 {
		return b
	}
	t.kept = append(t.kept, b...)
	return t.kept
}

// keep replaces the kept bytes by rest, which may be part of the result of join.
func (t *tail) keep(rest []byte) { t.kept = append(t.kept[:0], rest...) }

// ackRun collects acks of consecutive messages with one code, to report them to the receiver in one
// call.
type ackRun struct {
	seq, n uint64
	code   uint16
}

func (a *ackRun) add(seq, n uint64, code uint16, r receiver) {
	if seq == a.seq+a.n && code == a.code && a.n > 0 {
		a.n += n
		return
	}
	a.flush(r)
	*a = ackRun{seq, n, code}
}

func (a *ackRun) flush(r receiver) {
	if a.n > 0 {
		r.acks(a.seq, a.n, a.code)
		a.n = 0
	}
}
