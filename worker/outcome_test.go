package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

func TestOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		code  worker.Code
		after time.Duration
	}{
		"nil":             {nil, worker.OK, 0},
		"any error":       {errors.New("x"), worker.Refused, 0},
		"refused":         {worker.Refuse(1234), 1234, 0},
		"refused as done": {worker.Refuse(worker.OK), worker.Refused, 0},
		"illegal code":    {worker.Refuse(worker.DeadLettered), worker.Refused, 0},
		"wrapped refusal": {fmt.Errorf("field 3: %w", worker.Refuse(worker.BadRequest)), worker.BadRequest, 0},
		"again":           {worker.Again(time.Second), worker.OK, time.Second},
		"again at once":   {worker.Again(0), worker.OK, time.Millisecond},
		"again, negative": {worker.Again(-time.Hour), worker.OK, time.Millisecond},
		"wrapped again":   {fmt.Errorf("busy: %w", worker.Again(time.Minute)), worker.OK, time.Minute},
		"both":            {errors.Join(worker.Refuse(2), worker.Again(time.Minute)), worker.OK, time.Minute},
	} {
		if code, after := worker.Outcome(c.err); code != c.code || after != c.after {
			t.Errorf("%s: code %d, after %v", name, code, after)
		}
	}
}

// outcome is what a handler does with a message.
type outcome struct {
	again  int // times that it asks for the message again before
	code   worker.Code
	panics bool
}

func drawOutcome(rt *rapid.T) outcome {
	o := outcome{code: rapid.SampledFrom([]worker.Code{0, 0, 0, 1, 2, 1000, 8191, 7}).Draw(rt, "code")}
	if rapid.IntRange(0, 3).Draw(rt, "again?") == 0 {
		o.again = rapid.IntRange(1, 3).Draw(rt, "again")
	}
	o.panics = rapid.IntRange(0, 9).Draw(rt, "panics?") == 0
	return o
}

// final is the code with which the message is resolved.
func (o outcome) final() worker.Code {
	if o.panics || !o.code.ForHandlers() {
		return worker.Refused
	}
	return o.code
}

// err is what a function returns for the message the next time.
func (o *outcome) err() error {
	if o.again > 0 {
		o.again--
		return worker.Again(time.Hour) // the test's clock jumps
	}
	if o.code == worker.OK {
		return nil
	}
	return worker.Refuse(o.code)
}

// TestStoppedFunction: a message whose function ends with an error because the gateway stops is neither
// done nor refused.
func TestStoppedFunction(t *testing.T) {
	begun := make(chan struct{})
	g := handlertest.Start(t, worker.Each(func(ctx context.Context, m worker.Message) error {
		if string(m.Data) == "done" {
			return nil
		}
		close(begun)
		<-ctx.Done()
		return fmt.Errorf("insert: %w", ctx.Err())
	}), 1, 10)
	g.Send(0, []byte("done"))
	g.Wait(1)
	g.Send(0, []byte("hangs"))
	g.Send(0, []byte("waits"))
	<-begun
	g.Stop()
	g.WantResolved(1)
}

// TestNoFunction: a sink without a function cannot be opened, rather than refuse every message.
func TestNoFunction(t *testing.T) {
	for name, sink := range map[string]worker.Sink{"Each": worker.Each(nil), "Batches": worker.Batches(1, 0, nil)} {
		if _, err := sink.Open(nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestEach: each message is resolved once, with its own outcome, whatever the others' are.
func TestEach(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawOutcome), 1, 40).Draw(rt, "outcomes")
		msgs, want := make([]handlertest.Message, len(all)), make([]worker.Code, len(all))
		for i := range all {
			msgs[i].Data = string(rune('A' + i))
			want[i] = all[i].final()
		}
		codes := handlertest.Run(t, worker.Each(func(_ context.Context, m worker.Message) error {
			o := &all[[]rune(string(m.Data))[0]-'A']
			if o.panics && o.again == 0 {
				panic("a bug")
			}
			return o.err()
		}), msgs...)
		if fmt.Sprint(codes) != fmt.Sprint(want) {
			rt.Errorf("codes %v, want %v", codes, want)
		}
		for i, o := range all {
			if o.again != 0 {
				rt.Errorf("message %d: %d tries are left", i, o.again)
			}
		}
	})
}
