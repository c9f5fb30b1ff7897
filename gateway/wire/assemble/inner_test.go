package assemble

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// restless decodes data as the gateway's loop may: it moves to another buffer after
// every single Decode, and asks for a different number of messages each time.
func restless(t wiretest.T, conn wire.Conn, data []byte, step int) (r wiretest.Result) {
	conn.AppendHello(nil, wire.Hello{})
	var in wire.Input
	var buf []byte
	for turn := 0; ; turn++ {
		in.Msgs, in.Side, in.Out, in.Event = make([]wire.Msg, 0, 1+turn%5), nil, nil, wire.Event{}
		start := in.Start
		r.Err = conn.Decode(buf, &in)
		if err := in.Check(buf); err != nil {
			t.Fatalf("%v", err)
		}
		for _, m := range in.Msgs {
			if !m.Side && (int(m.Off+m.Len) > in.Start || m.Len > 0 && int(m.Off) < start) {
				t.Fatalf("message %d lies at %d to %d, the cursor went from %d to %d", m.Seq, m.Off, m.Off+m.Len, start, in.Start)
			}
			r.Msgs = append(r.Msgs, wiretest.Message{Seq: m.Seq, Tag: m.Tag, Code: m.Code, Data: bytes.Clone(in.Bytes(buf, &m))})
		}
		r.Out = append(r.Out, in.Out...)
		if in.Event.Kind != wire.EventNone {
			r.Events = append(r.Events, wiretest.Event{Event: in.Event, After: len(r.Msgs)})
		}
		for i := range in.Msgs[:cap(in.Msgs)] {
			in.Msgs[:cap(in.Msgs)][i] = wire.Msg{Seq: 1 << 40} // it is the loop's
		}
		r.Rest = in.Keep - in.Start + len(buf) - in.Scan
		more := in.Full() || in.Event.Kind != wire.EventNone
		if r.Err != nil || !more && len(data) == 0 {
			return r
		}
		old := buf
		buf = append(bytes.Clone(old[in.Start:in.Keep]), old[in.Scan:]...)
		for i := range old {
			old[i] = 0xdb
		}
		in.Rebase()
		if !more {
			n := min(step, len(data))
			buf, data = append(buf, data[:n]...), data[n:]
		}
	}
}

// TestInnerProtocols compares everything an inner protocol may do, decoded in three ways, with
// the model.
func TestInnerProtocols(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := config()
		cfg.MaxMessage = rapid.SampledFrom([]int64{60, 1000}).Draw(t, "max message")
		cfg.Memory = 500
		var stream []byte
		frame := func(kind byte, payload string) {
			stream = append(append(stream, kind, byte(len(payload))), payload...)
		}
		want := newModel(cfg)
		result := want.result()
		kinds := rapid.SampledFrom([]byte{message, message, message, fragment, outside, refusal, question})
		for range rapid.IntRange(1, 30).Draw(t, "frames") {
			kind := kinds.Draw(t, "kind")
			if kind == question {
				frame(kind, "")
				result.Out = append(result.Out, '!')
				continue
			}
			want.seq++
			as := wiretest.Message{Seq: want.seq, Tag: uint8(want.seq % 7)}
			if kind == refusal {
				frame(kind, "")
				as.Code = worker.Refused
				want.msgs = append(want.msgs, as)
				continue
			}
			text := pieces.Draw(t, "message")
			want.message(as, text)
			if kind == fragment {
				for range rapid.IntRange(0, 3).Draw(t, "fragments") {
					cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
					frame(fragment, text[:cut])
					text = text[cut:]
				}
				kind = final
			}
			frame(kind, text)
		}
		result.Msgs = want.msgs
		switch ending := rapid.SampledFrom([]byte{leaving, fault, fragment}).Draw(t, "ending"); ending {
		case leaving:
			result.Events = append(result.Events, wiretest.Event{
				Event: wire.Event{Kind: wire.EventClose, Clean: true, Fault: want.unfinished()}, After: len(result.Msgs),
			})
			frame(ending, "")
		case fault:
			result.Err = errFault
			frame(ending, "")
		case fragment: // not complete
			frame(ending, `{"id"`)
			result.Rest = len(`{"id"`)
		}
		p := mustNew(t, mixed, cfg)
		plan := wiretest.FromBytes(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "plan"))
		wiretest.Compare(t, wiretest.Run(t, p.NewConn(), stream, wiretest.Whole(len(stream))), result)
		wiretest.Compare(t, wiretest.Run(t, p.NewConn(), stream, plan), result)
		wiretest.Compare(t, restless(t, p.NewConn(), stream, rapid.IntRange(1, 200).Draw(t, "step")), result)
	})
}

// TestTheEndWaits checks that a close, or an error, is returned after the messages that were
// decoded with it.
func TestTheEndWaits(t *testing.T) {
	for _, ending := range []byte{leaving, fault} {
		var stream []byte
		for _, text := range []string{`{"id":1,"data":"a"}`, `{"id":1,"end":true}`, `{"id":2,"end":true}`, `{"id":3}`} {
			stream = append(append(stream, message, byte(len(text))), text...)
		}
		stream = append(stream, ending, 0)
		c := mustNew(t, mixed, config()).NewConn().(*conn)
		r := wiretest.Run(t, c, stream, wiretest.Whole(len(stream)))
		if got := summary(r); got != `2={"id":1,"end":true,"data":"a"} 3={"id":2,"end":true}` {
			t.Errorf("got %s", got)
		}
		if (r.Err != nil) != (ending == fault) || ending == leaving && (len(r.Events) != 2 || r.Events[1].After != 2) {
			t.Errorf("ending %c: error %v, events %+v", ending, r.Err, r.Events)
		}
		if fault := r.Events[len(r.Events)-1].Fault; ending == leaving && (fault == nil || *fault != *unfinished(1)) {
			t.Errorf("the request that is open: %v", fault)
		}
		if len(c.table.byKey) != 0 {
			t.Errorf("ending %c: %d requests are left", ending, len(c.table.byKey))
		}
	}
}
