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
// the test if a message is not resolved within [Patience]. Messages that the handler asks for again
// get their next try as soon as nothing else is left to do: the worker's clock jumps ahead. The
// sink remains open.
func Run(t testing.TB, s worker.Sink, msgs ...Message) []worker.Code {
	t.Helper()
	g := Start(t, s, 1, len(msgs))
	for _, m := range msgs {
		g.SendMessage(0, m)
	}
	g.Drain()
	for deadline := time.Now().Add(Patience); g.Done < len(msgs); {
		if g.Turn(time.Millisecond) {
			continue
		}
		if w := g.pool.Workers()[0].Waits(); w.Retry > 0 && w.Retry+w.Key == len(msgs)-g.Done {
			g.skew.Add(int64(time.Minute))
			g.pool.Workers()[0].Wake()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d messages are not resolved", len(msgs)-g.Done, len(msgs))
		}
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
