// Package wiretest drives a wire.Conn with a stream of bytes, as the gateway's loop does, and
// checks the contract of wire.Conn and wire.Input on the way: the order of the cursors, that
// Decode stops only where it may, that it makes no progress on fewer than Need bytes, that it
// leaves the bytes of messages alone once it has returned them, and that Side is bounded. The
// bytes of Side are overwritten before each call.
package wiretest

import (
	"bytes"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// T reports faults of the Conn: a *testing.T, *testing.F or *rapid.T.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Message is a decoded message with a copy of its bytes.
type Message struct {
	Seq  uint64
	Data []byte // nil when refused
	Tag  uint8
	Code worker.Code
}

// Event is an event and the number of messages before it.
type Event struct {
	wire.Event
	After int
}

// Result is what a stream has been decoded to so far.
type Result struct {
	Hello   []byte // what AppendHello appended
	Out     []byte // replies due at once
	Msgs    []Message
	Events  []Event
	Skipped int         // messages over --max-message
	Longest uint64      // length of the longest of these, in bytes
	Err     *wire.Error // of Decode, after which it is fed no more
	Rest    int         // bytes left over
}

// poison fills buffers that the Conn must no longer use.
const poison = 0xdb

// Driver feeds one Conn. Only one goroutine may use it.
type Driver struct {
	Result

	t        T
	conn     wire.Conn
	plan     Plan
	buf      []byte // received, in a buffer of cap(buf) bytes
	in       wire.Input
	msgs     []wire.Msg
	returned []returned // messages in buf
}

// returned is a message that lies in the buffer, and a copy of it.
type returned struct {
	off  uint32
	data []byte
}

// New starts conn with h and decodes the empty buffer.
func New(t T, conn wire.Conn, h wire.Hello, plan Plan) *Driver {
	t.Helper()
	d := &Driver{t: t, conn: conn, plan: plan, msgs: make([]wire.Msg, max(plan.Msgs, 1))}
	d.buf = make([]byte, 0, plan.Buffer)
	d.Hello = conn.AppendHello(nil, h)
	d.decode()
	return d
}

// Run drives conn with all of data.
func Run(t T, conn wire.Conn, data []byte, plan Plan) Result {
	t.Helper()
	d := New(t, conn, wire.Hello{}, plan)
	d.Feed(data)
	d.checkReturned()
	return d.Result
}

// Feed feeds data in the pieces of the plan and returns Err.
func (d *Driver) Feed(data []byte) *wire.Error {
	d.t.Helper()
	for len(data) > 0 && d.Err == nil {
		piece, move := d.plan.next(len(data))
		if move || len(d.buf) == cap(d.buf) || d.in.Need > cap(d.buf)-d.in.Scan {
			d.move()
		}
		n := min(piece, cap(d.buf)-len(d.buf))
		d.buf = append(d.buf, data[:n]...)
		data = data[n:]
		d.decode()
	}
	return d.Err
}

// End ends the stream, cleanly or by a reset, and returns the fault that the Conn finds.
func (d *Driver) End(clean bool) *wire.Error {
	d.t.Helper()
	before := d.begin()
	fault := d.conn.End(d.buf[:len(d.buf):len(d.buf)], &d.in, clean)
	d.check(before)
	d.collect(before.Start)
	d.checkReturned()
	return fault
}

// begin empties what a call of the Conn fills, and returns the Input from before.
func (d *Driver) begin() wire.Input {
	before := d.in
	for own, i := d.in.Side[:cap(d.in.Side)], 0; i < len(own); i++ {
		own[i] = poison
	}
	for i := range d.msgs {
		d.msgs[i] = wire.Msg{Seq: poison, Off: poison, Len: poison, Tag: poison, Side: true, Code: poison}
	}
	d.in.Msgs, d.in.Side, d.in.Out, d.in.Event = d.msgs[:0], d.in.Side[:0], nil, wire.Event{}
	d.in.Skipped, d.in.Longest = 0, 0
	return before
}

// check checks the cursors after a call.
func (d *Driver) check(before wire.Input) {
	d.t.Helper()
	if err := d.in.Check(d.buf); err != nil {
		d.t.Fatalf("%v", err)
	}
	if d.in.Start < before.Start || d.in.Scan < before.Scan {
		d.t.Fatalf("cursors went back: %d %d %d, before %d %d %d",
			d.in.Start, d.in.Keep, d.in.Scan, before.Start, before.Keep, before.Scan)
	}
}

// move continues in another buffer, with space for the bytes that the Conn needs.
func (d *Driver) move() {
	d.t.Helper()
	d.checkReturned()
	d.returned = d.returned[:0]
	kept, rest := d.in.Keep-d.in.Start, len(d.buf)-d.in.Scan
	old := d.buf
	d.buf = make([]byte, 0, max(d.plan.Buffer, kept+d.in.Need, 2*(kept+rest), 1))
	d.buf = append(d.buf, old[d.in.Start:d.in.Keep]...)
	d.buf = append(d.buf, old[d.in.Scan:]...)
	for i := range old {
		old[i] = poison
	}
	d.in.Rebase()
	if err := d.in.Check(d.buf); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// decode decodes until no complete frame is left.
func (d *Driver) decode() {
	d.t.Helper()
	for dry := false; ; {
		before := d.begin()
		d.Err = d.conn.Decode(d.buf[:len(d.buf):len(d.buf)], &d.in)
		d.check(before)
		progress := d.in.Start != before.Start || d.in.Keep != before.Keep || d.in.Scan != before.Scan ||
			len(d.in.Msgs) > 0 || len(d.in.Out) > 0 || d.in.Event.Kind != wire.EventNone
		short := before.Need - (len(d.buf) - before.Scan)
		switch {
		case progress && dry:
			d.t.Fatalf("Decode stopped although a complete frame was left")
		case progress && short > 0:
			d.t.Fatalf("Decode made progress with %d bytes missing of the %d that it needs", short, before.Need)
		case d.in.Need < 0:
			d.t.Fatalf("Need is %d", d.in.Need)
		}
		d.collect(before.Start)
		if d.Err != nil {
			return
		}
		if !progress {
			d.checkLimit()
			return
		}
		dry = !d.in.Full() && d.in.Event.Kind == wire.EventNone
	}
}

// checkLimit checks how many contiguous bytes the Conn waits for.
func (d *Driver) checkLimit() {
	d.t.Helper()
	wants := d.in.Keep - d.in.Start + max(d.in.Need, len(d.buf)-d.in.Scan+1)
	if d.plan.Limit > 0 && wants > d.plan.Limit {
		d.t.Fatalf("Conn waits for %d contiguous bytes, the limit is %d", wants, d.plan.Limit)
	}
}

// collect copies the results of one call. Messages in the buffer lie between Start before the
// call and Start after it, in order.
func (d *Driver) collect(start int) {
	d.t.Helper()
	if cap(d.in.Msgs) != cap(d.msgs) || len(d.in.Msgs) > 0 && &d.in.Msgs[0] != &d.msgs[0] {
		d.t.Fatalf("Decode replaced Msgs instead of filling it")
	}
	for _, m := range d.in.Msgs {
		msg := Message{Seq: m.Seq, Tag: m.Tag, Code: m.Code}
		switch {
		case m.Side:
			if int(m.Off) > wire.SideFull+len(d.buf) {
				d.t.Fatalf("message %d lies at %d of Side, which is full at %d bytes", m.Seq, m.Off, wire.SideFull)
			}
			msg.Data = bytes.Clone(d.in.Bytes(nil, &m))
		case m.Code == worker.OK || m.Len > 0:
			end := int(m.Off) + int(m.Len)
			if int(m.Off) < start || end > d.in.Start {
				d.t.Fatalf("message %d lies at %d to %d, but decoding went from %d to %d", m.Seq, m.Off, end, start, d.in.Start)
			}
			msg.Data = bytes.Clone(d.buf[m.Off:end])
			d.returned = append(d.returned, returned{m.Off, msg.Data})
			start = end
		}
		d.Msgs = append(d.Msgs, msg)
	}
	d.Out = append(d.Out, d.in.Out...)
	d.Skipped += d.in.Skipped
	d.Longest = max(d.Longest, d.in.Longest)
	if d.in.Event.Kind != wire.EventNone {
		d.Events = append(d.Events, Event{d.in.Event, len(d.Msgs)})
	}
	d.Rest = d.in.Keep - d.in.Start + len(d.buf) - d.in.Scan
}

// checkReturned checks that the messages in the buffer have not changed.
func (d *Driver) checkReturned() {
	d.t.Helper()
	for _, h := range d.returned {
		if got := d.buf[h.off:][:len(h.data)]; !bytes.Equal(got, h.data) {
			d.t.Fatalf("a message was %q when it was returned and %q later", h.data, got)
		}
	}
}
