package assemble

import "feedgate/gateway/wire"

// rest is what the inner Conn has decoded behind a message that went out as an event,
// for the next calls of Decode.
//
// Invariant: while it is pending, in.Start, in.Keep and in.Scan stand together, before
// the bytes of msgs and before those that the inner cursors enclose. So the loop, when
// it moves to another buffer, takes all of these along, each as far from in.Scan as it
// was.
type rest struct {
	pending bool
	msgs    []wire.Msg
	store   []wire.Msg // its memory
	scan    int        // in.Scan, as it was left

	inner wire.Input  // cursors, from in.Scan on, Need, Event and Data, of the inner Conn
	err   *wire.Error // what its Decode returned
}

// hold puts off msgs, the inner Conn's event and its err. from is behind all messages
// handed out, and not before in.Scan when Decode was called.
func (r *rest) hold(in *wire.Input, msgs []wire.Msg, from int, err *wire.Error) {
	if len(msgs) == 0 && in.Event.Kind == wire.EventNone && err == nil {
		return
	}
	if len(msgs) > 0 && !r.owns(msgs) {
		r.store = append(r.store[:0], msgs...)
		msgs = r.store
	}
	r.pending, r.msgs, r.scan, r.err = true, msgs, from, err
	r.inner = wire.Input{
		Start: in.Start - from, Keep: in.Keep - from, Scan: in.Scan - from,
		Need: in.Need, Event: in.Event, Data: in.Data,
	}
	in.Start, in.Keep, in.Scan, in.Need = from, from, from, 0
	in.Event, in.Data = wire.Event{}, nil
}

// owns reports whether msgs, which is not empty, lies at the end of the store.
func (r *rest) owns(msgs []wire.Msg) bool {
	return len(msgs) <= len(r.store) && &msgs[0] == &r.store[len(r.store)-len(msgs)]
}

// resume makes in what the inner Conn had left, and returns what hold was given.
func (r *rest) resume(buf []byte, in *wire.Input) ([]wire.Msg, *wire.Error) {
	r.pending = false
	at := in.Scan
	if at+r.inner.Scan > len(buf) {
		// The loop has given the bytes up: the connection is over.
		return nil, nil
	}
	if moved := at - r.scan; moved != 0 {
		for i := range r.msgs {
			if m := &r.msgs[i]; m.Off > 0 || m.Len > 0 {
				m.Off = uint32(int(m.Off) + moved)
			}
		}
	}
	in.Start, in.Keep, in.Scan = at+r.inner.Start, at+r.inner.Keep, at+r.inner.Scan
	in.Need, in.Event, in.Data = r.inner.Need, r.inner.Event, r.inner.Data
	err := r.err
	r.inner, r.err = wire.Input{}, nil
	return r.msgs, err
}
