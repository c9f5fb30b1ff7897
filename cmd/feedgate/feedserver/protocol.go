package feedserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// protocol is a wire format as a server speaks it.
type protocol interface {
	traits() traits

	// appendMessage appends a message as it stands on the wire, its sequence
	// number, where it has one, left open. i is its place in the stream, from 0; end
	// is the line end for protocols of lines.
	appendMessage(dst []byte, i int, payload, end []byte) []byte

	// newCodec starts the state of one connection.
	newCodec() codec
}

// traits are a protocol's fixed properties.
type traits struct {
	// login: a client has to say something before it is sent anything.
	login bool
	// named: at login, clients name the session they go on with. Otherwise they
	// are given the one that lost its connection longest ago, or a new one.
	named bool
	// pings: a client answers PINGs, and so is never silent for long. Otherwise it
	// may be, as long as it owes no ack.
	pings bool
	// goodbye: the end is said by a frame, after the last ack. Otherwise it is the
	// end of the stream, right after the last message.
	goodbye bool
	// answered: a goodbye is answered with one, the feed's own as well, and only
	// then is the sending side closed.
	answered bool
}

// codec is the protocol state of one connection. Appending methods append to dst
// and return it, like append; where a protocol has no such frame they append
// nothing.
type codec interface {
	// read takes all of b, keeps what is not whole yet, and tells r what it means.
	// A *fault ends the connection.
	read(b []byte, r receiver) error

	// start says the number of the connection's first message.
	start(first uint64)

	// render makes b the messages of st from seq on, as stream.cut does. The bytes
	// are valid until the next call.
	render(b *batch, st *stream, seq, n uint64, limit int)

	appendWelcome(dst []byte, w welcome) []byte
	appendPing(dst []byte, seq uint64) []byte
	appendBye(dst []byte, code uint16) []byte
}

// receiver is told what a codec reads. login comes first where there is one; its
// error is to be returned by the codec.
type receiver interface {
	login(h hello) error
	acks(seq, n uint64, code uint16) // n acks from seq on, with one code
	acksTo(seq uint64)
	reply(frame func(dst []byte) []byte)
	bye(code uint16)
}

// hello is what a client says on logging in.
type hello struct {
	client, session string
	seq             uint64 // last contiguous acknowledged; 0: none
	token           string
}

// welcome is the answer.
type welcome struct {
	session string
	first   uint64
}

// fault is a client's breach of the protocol.
type fault struct {
	code uint16 // for the goodbye
	text string
}

func (f *fault) Error() string { return f.text }

func faultf(code uint16, format string, args ...any) error {
	return &fault{code, fmt.Sprintf(format, args...)}
}

// protocols makes each protocol by its name.
var protocols = map[string]func(cfg *Config) protocol{
	"fg":     newFG,
	"line":   newLine,
	"length": newLength,
	"ws":     newWS,
}

// protocolNames are those of the protocols that a feed can speak.
func protocolNames() string {
	return strings.Join(slices.Sorted(maps.Keys(protocols)), ", ")
}

// maxFrame bounds what a client may send in one frame or line, in bytes.
const maxFrame = 64 << 10

// tail keeps the bytes of an unfinished frame from one read to the next.
type tail struct{ kept []byte }

// join is what was kept with b behind it.
func (t *tail) join(b []byte) []byte {
	if len(t.kept) == 0 {
		return b
	}
	t.kept = append(t.kept, b...)
	return t.kept
}

// keep keeps rest, which may be the end of what join returned.
func (t *tail) keep(rest []byte) { t.kept = append(t.kept[:0], rest...) }

// run gathers acks of consecutive numbers, so that their receiver is told once
// for many.
type run struct {
	seq, n uint64
	code   uint16
}

func (a *run) add(seq, n uint64, code uint16, r receiver) {
	if seq == a.seq+a.n && code == a.code && a.n > 0 {
		a.n += n
		return
	}
	a.flush(r)
	*a = run{seq, n, code}
}

func (a *run) flush(r receiver) {
	if a.n > 0 {
		r.acks(a.seq, a.n, a.code)
		a.n = 0
	}
}
