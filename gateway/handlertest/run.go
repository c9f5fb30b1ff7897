package handlertest

import (
	"testing"
	"time"

	"feedgate/worker"
)

// Message is a message for [Run] or [Gateway.SendMessage]. Data is what its handler gets; the other
// fields are what its methods return, and may be empty.
type Message struct {
	Data     string
	Meta     map[string]string // by name
	ID       string
	Upstream string
	Session  string
}

// Messages returns messages with these data and nothing else.
func Messages(data ...string) []Message {
	msgs := make([]Message, len(data))
	for i, d := range data {
		msgs[i].Data = d
	}
	return msgs
}

// Run gives messages to one worker of a sink, in order, then drains and stops it. It returns the
// code of each message, and fails the test if no message is resolved for [Patience]. A message that
// the handler wants again is due soon, whatever the wait: while nothing happens, the worker's clock
// runs ahead. The sink remains open.
func Run(t testing.TB, s worker.Sink, msgs ...Message) []worker.Code {
	t.Helper()
	g := Start(t, s, 1, len(msgs))
	for _, m := range msgs {
		g.SendMessage(0, m)
	}
	g.Drain()
	const step = 5 * time.Millisecond
	for idle := time.Duration(0); g.Resolved < len(msgs); {
		if g.Poll(step) {
			idle = 0
			continue
		}
		if idle += step; idle > Patience {
			t.Fatalf("%d of %d messages are not resolved", len(msgs)-g.Resolved, len(msgs))
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

// origin returns what the protocol reports about the message; nil: nothing.
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
