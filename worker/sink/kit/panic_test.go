package kit

import (
	"context"
	"testing"
	"time"

	"feedgate/worker"
	"feedgate/worker/sink"
)

// someBatch is a batch of which only what Handle needs works.
type someBatch struct {
	worker.Batch
	msgs []worker.Message
}

func (b *someBatch) Len() int                { return len(b.msgs) }
func (b *someBatch) At(i int) worker.Message { return b.msgs[i] }

// noCompleter is the completer of a handler that resolves nothing.
type noCompleter struct {
	worker.Completer
	ctx context.Context
}

func (c noCompleter) Context() context.Context      { return c.ctx }
func (noCompleter) SetHooks(worker.Hooks)           {}
func (noCompleter) ObserveCalls(time.Duration, int) {}

// TestKeyFuncPanics: if KeyFunc panics, the batch leaves nothing in the queues: its messages are
// refused.
func TestKeyFuncPanics(t *testing.T) {
	k := open(t, new(server), Config{KeyFunc: func(m worker.Message) uint64 {
		if string(m.Data) == "bad" {
			panic("a bug")
		}
		return 0
	}}, sink.Config{})
	opened, err := k.Open(noCompleter{ctx: t.Context()})
	if err != nil {
		t.Fatal(err)
	}
	h := opened.(*handler)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		h.Handle(&someBatch{msgs: []worker.Message{{Data: []byte("a")}, {Data: []byte("bad")}, {Data: []byte("b")}}})
	}()
	h.mu.Lock()
	waiting := h.queues.waiting
	h.mu.Unlock()
	if waiting != 0 {
		t.Errorf("%d messages wait", waiting)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
