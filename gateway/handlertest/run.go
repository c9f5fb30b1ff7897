package handlertest

import (
	"testing"
	"time"

	"feedgate/worker"
)

// Message is a message for [Run]. Its protocol reports Meta and ID about it.
type Message struct {
	Data     string
	Meta     map[string]string
	ID       string
	Upstream string
	Session  string
}

// Messages are messages with nothing but data.
func Messages(data ...string) []Message {
	msgs := make([]Message, len(data))
	for i, d := range data {
		msgs[i].Data = d
	}
	return msgs
}

// Run gives messages, in order, to one worker of a sink, drains, and returns their codes. It fails
// the test if nothing is resolved for [Patience]. Messages that the handler asks for again get their
// next try soon: while nothing happens, the worker's clock runs ahead. The sink remains open.
func Run(t testing.TB, s worker.Sink, msgs ...Message) []worker.Code {
	t.Helper()
	g := Start(t, s, 1, len(msgs))
	for _, m := range msgs {
		g.SendMessage(0, m)
	}
	g.Drain()
	const step = 5 * time.Millisecond
	for idle := time.Duration(0); g.Done < len(msgs); {
		if g.Turn(step) {
			idle = 0
			continue
		}
		if idle += step; idle > Patience {
			t.Fatalf("%d of %d messages are not resolved", len(msgs)-g.Done, len(msgs))
		}
		g.skew.Add(int64(time.Second) << min(idle/step, 20))
		g.pool.Workers()[0].Wake()
	}
	g.Stop()
	codes := make([]worker.Code, len(msgs))
	for i := range codes {
		codes[i] = g.Code(i)
	}
	return codes
}

// origin is what the protocol of a message reports about it; nil: nothing.
func (m *Message) origin() *worker.Origin {
	if m.Meta == nil && m.ID == "" && m.Upstream == "" && m.Session == "" {
		return nil
	}
	meta := &worker.Metadata{
		Append: func(dst []byte, _ worker.Message, name string) []byte { return append(dst, m.Meta[name]...) },
	}
	for name := range m.Meta {
		meta.Names = append(meta.Names, name)
	}
	if m.ID != "" {
		meta.AppendID = func(dst []byte, _ worker.Message) []byte { return append(dst, m.ID...) }
	}
	return &worker.Origin{Upstream: m.Upstream, Session: m.Session, Meta: meta}
}
