package pool

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"feedgate/worker"
)

// TestAgainKeepsOrderOfKey: later messages of a key wait for one that the handler asks for again,
// however often it does, with --retries or without, and with failures in between. Those of other
// keys do not wait.
func TestAgainKeepsOrderOfKey(t *testing.T) {
	const keys, each = 7, 40
	for name, c := range map[string]struct {
		retries int
		sink    func(f worker.Func) worker.Sink
	}{
		"function":               {0, worker.Each},
		"function that wraps":    {0, inTwos},
		"function, with retries": {3, worker.Each},
		"batches":                {0, inBatches(0)},
		"batches that wait":      {0, inBatches(time.Millisecond)},
		"batches, with retries":  {3, inBatches(0)},
	} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(3, 4))
			again, fails := map[string]int{}, map[string]int{}
			var mu sync.Mutex
			done := map[byte][]byte{}
			l := newTestLoop(t, Config{
				Retries: c.retries, RetryMin: time.Millisecond, Key: mustSelect(t, "bytes:0:1"),
				Sink: c.sink(func(_ context.Context, m worker.Message) error {
					mu.Lock()
					defer mu.Unlock()
					switch p := string(m.Data); {
					case again[p] > 0:
						again[p]--
						return worker.Again(time.Duration(1+rnd.IntN(3)) * time.Millisecond)
					case fails[p] > 0:
						fails[p]--
						return errors.New("failed")
					}
					done[m.Data[0]] = append(done[m.Data[0]], m.Data[1])
					return nil
				}),
			})
			var payloads [][]byte
			for i := range keys * each {
				p := []byte{byte(i % keys), byte(i / keys)}
				payloads = append(payloads, p)
				if rnd.IntN(4) == 0 {
					again[string(p)] = 1 + rnd.IntN(9)
				}
				if c.retries > 0 && rnd.IntN(8) == 0 {
					fails[string(p)] = 1 + rnd.IntN(c.retries)
				}
			}
			const half = keys * each / 2
			l.dispatch(0, 0, payloads[:half]...)
			l.finish()
			for rest := payloads[half:]; len(rest) > 0; {
				rest = l.dispatchRun(0, 1, rest...)
				l.finish()
			}
			l.wantDoneInOrder(done, each)
		})
	}
}

// inBatches returns worker.Batches of a function for one message.
func inBatches(wait time.Duration) func(f worker.Func) worker.Sink {
	return func(f worker.Func) worker.Sink {
		return worker.Batches(16, wait, func(ctx context.Context, msgs []worker.Message) []error {
			errs := make([]error, len(msgs))
			for i, m := range msgs {
				errs[i] = f(ctx, m)
			}
			return errs
		})
	}
}

// inTwos is a handler that resolves half of its messages itself.
func inTwos(f worker.Func) worker.Sink { return twos{worker.Each(f), f} }

type twos struct {
	worker.Sink
	f worker.Func
}

func (s twos) Open(worker.Completer) (worker.Handler, error) {
	return batchHandler{func(b worker.Batch) {
		if code, after := worker.Outcome(s.f(context.Background(), b.At(0))); after > 0 {
			b.Again(1, after)
		} else {
			b.Resolve(1, code)
		}
		b.Each(s.f)
	}}, nil
}

// TestAgainIsNoTry: a message that the handler asks for again has all its tries left, and one that has
// used them up is refused.
func TestAgainIsNoTry(t *testing.T) {
	calls := 0
	l := newTestLoop(t, Config{
		Retries: 2, RetryMin: time.Millisecond,
		Sink: worker.Each(func(context.Context, worker.Message) error {
			if calls++; calls%2 == 1 {
				return worker.Again(0)
			}
			return worker.Refuse(worker.CodeHandler)
		}),
	})
	l.dispatch(0, 0, []byte("m"))
	l.finish()
	if calls != 6 || l.replies[0] != worker.CodeHandler {
		t.Errorf("%d calls, code %d", calls, l.replies[0])
	}
	l.wantFreed(0)
}

// TestAgainIsAbandoned: the slab of a message that waits when the pool stops is released.
func TestAgainIsAbandoned(t *testing.T) {
	asked := make(chan struct{}, 1)
	l := newTestLoop(t, Config{Sink: worker.Each(func(context.Context, worker.Message) error {
		asked <- struct{}{}
		return worker.Again(time.Hour)
	})})
	l.dispatch(0, 0, []byte("m"))
	<-asked
	l.until(func() bool { return l.pool.workers[0].Waits().Retry == 1 })
	if err := l.pool.Stop(); err != nil {
		t.Fatal(err)
	}
	if l.slabs.Refs(0) != 0 {
		t.Errorf("%d references are left", l.slabs.Refs(0))
	}
}

// TestAgainReleasesOutput: what --output made of a deferred message is given up when the handler asks
// for the message again, and made again for its next try.
func TestAgainReleasesOutput(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	l := newTestLoop(t, Config{
		Output:       func(dst []byte, m worker.Message) []byte { return append(append(dst, "<"...), m.Data...) },
		OutputMemory: 1, // so that one deferred message stops the worker
		Sink: worker.Batches(1, 0, func(_ context.Context, msgs []worker.Message) []error {
			mu.Lock()
			defer mu.Unlock()
			if seen = append(seen, string(msgs[0].Data)); len(seen) == 1 {
				return []error{worker.Again(0)}
			}
			return nil
		}),
	})
	l.dispatch(0, 0, []byte("a"), []byte("b"))
	l.finish()
	if slices.Sort(seen); !slices.Equal(seen, []string{"<a", "<a", "<b"}) {
		t.Errorf("the handler got %q", seen)
	}
	if n := l.pool.workers[0].main.rendered.pinnedBytes; n != 0 {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestAgainHasBounds: no time is so short that the worker spins, or so long that it overflows.
func TestAgainHasBounds(t *testing.T) {
	for _, after := range []time.Duration{0, -1, math.MinInt64, math.MaxInt64} {
		calls := 0
		p := newPaced(t, 0, func(*paced) worker.Sink {
			return batchSink(func(b worker.Batch) {
				calls++
				b.Again(1, after)
			})
		})
		p.w.slabs.At(0).Data = make([]byte, 1)
		p.give(0, 0, 1)
		for range 10 {
			p.pool.Turn(0)
		}
		if calls != 1 {
			t.Errorf("after %v: %d calls at once", after, calls)
		}
		p.clock += worker.MaxAgain
		if p.pool.Turn(0); calls != 2 {
			t.Errorf("after %v: %d calls in the end", after, calls)
		}
	}
}

// TestFlushWhenOthersWaitForKeys: a batch does not wait for messages that wait for those in it.
func TestFlushWhenOthersWaitForKeys(t *testing.T) {
	l := newTestLoop(t, Config{
		Key:  mustSelect(t, "bytes:0:1"),
		Sink: worker.Batches(100, time.Hour, func(context.Context, []worker.Message) []error { return nil }),
	})
	var payloads [][]byte
	for i := range byte(20) {
		payloads = append(payloads, []byte{'k', i})
	}
	l.dispatch(0, 0, payloads...)
	l.until(func() bool { return len(l.replies) >= len(payloads)-1 }) // the last one waits
}
