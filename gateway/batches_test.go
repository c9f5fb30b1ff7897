package gateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/testkit"
)

// batchSink is a sink whose workers all call one function with whole batches.
type batchSink func(b worker.Batch)

func (s batchSink) Open(worker.Completer) (worker.Handler, error) { return batchHandler{s}, nil }
func (batchSink) Ready() error                                    { return nil }
func (batchSink) Failed() <-chan struct{}                         { return nil }
func (batchSink) Err() error                                      { return nil }
func (batchSink) Close() error                                    { return nil }

type batchHandler struct{ handle batchSink }

func (h batchHandler) Handle(b worker.Batch) { h.handle(b) }
func (batchHandler) Drain()                  {}
func (batchHandler) Close() error            { return nil }

// callCost is a handler whose calls all take the same time, whatever their length.
type callCost struct {
	each            time.Duration
	calls, messages atomic.Int64
}

func (c *callCost) handle(b worker.Batch) {
	time.Sleep(c.each) // the work
	c.calls.Add(1)
	c.messages.Add(int64(b.Len()))
	b.Resolve(b.Len(), worker.OK)
}

// call is the same for worker.Batches.
func (c *callCost) call(_ context.Context, msgs []worker.Message) []error {
	time.Sleep(c.each) // the work
	c.calls.Add(1)
	c.messages.Add(int64(len(msgs)))
	return nil
}

// streamNumbers sends n messages that begin with their number modulo keys, and waits until
// all are acknowledged.
func streamNumbers(t testing.TB, c *feedConn, n, keys int) {
	t.Helper()
	go func() {
		buf, payload := make([]byte, 0, 1<<20), make([]byte, 64)
		for i := 0; i < n; {
			buf = buf[:0]
			for ; i < n && len(buf) < cap(buf)-100; i++ {
				binary.BigEndian.PutUint64(payload, uint64(i%keys))
				buf = fg1.AppendFrame(buf, fg1.Data, 0, 0, uint64(i)+1, payload)
			}
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
		c.Write(fg1.AppendFrame(nil, fg1.Bye, 0, 0, 0, nil))
	}()
	seen := make([]bool, n)
	for got := 0; ; {
		h, _, err := c.next()
		switch {
		case err != nil:
			t.Fatalf("after %d acks: %v", got, err)
		case h.Op == fg1.Ack && h.Seq-1 < uint64(n) && !seen[h.Seq-1]:
			seen[h.Seq-1] = true
			got++
		case h.Op == fg1.Bye && got == n:
			return
		case h.Op != fg1.Ping:
			t.Fatalf("op %d, number %d, after %d acks", h.Op, h.Seq, got)
		}
	}
}

// TestBatchesGrow: a handler whose calls take 1 ms at any length gets long batches, even if
// consecutive messages have different keys.
func TestBatchesGrow(t *testing.T) {
	for _, c := range []struct {
		dispatch string
		retries  int
		function bool // of worker.Batches
	}{{"spread", 0, false}, {"key", 0, false}, {"key", 1, false}, {"spread", 0, true}, {"key", 0, true}} {
		t.Run(fmt.Sprintf("%s, %d retries, function %v", c.dispatch, c.retries, c.function), func(t *testing.T) {
			feed := newTestFeed(t)
			h := &callCost{each: time.Millisecond}
			cfg := testConfig(t, feed.url(), nil)
			cfg.Sink, cfg.Retries = batchSink(h.handle), c.retries
			if c.function {
				cfg.Sink = worker.Batches(10_000, 0, h.call)
			}
			if cfg.Dispatch = c.dispatch; c.dispatch == "key" {
				cfg.Key = "bytes:0:8"
			}
			r := start(t, cfg)
			conn := feed.login(1, `{"session":"s"}`)
			const n = 100_000
			streamNumbers(t, conn, n, 1000)
			conn.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			calls := h.calls.Load()
			t.Logf("%d calls for %d messages", calls, n)
			if h.messages.Load() != n || calls > n/5 { // many more per call, unless the feed is slow
				t.Errorf("%d calls for %d messages of %d", calls, h.messages.Load(), n)
			}
		})
	}
}

// TestSlowMessagesStayFew: a handler that takes 20 ms per message, and resolves them at the end
// of the call, rarely gets more than one at a time.
func TestSlowMessagesStayFew(t *testing.T) {
	feed := newTestFeed(t)
	var calls, longest atomic.Int64
	cfg := testConfig(t, feed.url(), nil)
	cfg.Workers = 1
	cfg.Sink = batchSink(func(b worker.Batch) {
		n := b.Len()
		time.Sleep(time.Duration(n) * 20 * time.Millisecond) // the work
		calls.Add(1)
		longest.Store(max(longest.Load(), int64(n)))
		b.Resolve(n, worker.OK)
	})
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	const n = 50
	streamNumbers(t, conn, n, 1)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if calls.Load() < n/2 || longest.Load() > 4 {
		t.Errorf("%d calls for %d messages, up to %d at once", calls.Load(), n, longest.Load())
	}
}

// TestAckedBeforeTheNext: if a handler is slow, each message is acked before the next one is done,
// whatever the length of the batch.
func TestAckedBeforeTheNext(t *testing.T) {
	// The fast messages make batches long; the worker notices slow ones within lookMost messages.
	const fast, slow = 20_000, 200
	for name, sink := range map[string]func(handle func(seq uint64)) worker.Sink{
		"in batches": func(handle func(uint64)) worker.Sink {
			return batchSink(func(b worker.Batch) {
				for b.Len() > 0 {
					handle(b.At(0).Seq)
					b.Resolve(1, worker.OK)
				}
			})
		},
		"one by one": func(handle func(uint64)) worker.Sink {
			return testkit.ByCode(func(m worker.Message) worker.Code { handle(m.Seq); return worker.OK })
		},
	} {
		t.Run(name, func(t *testing.T) {
			feed := newTestFeed(t)
			acks := make(chan uint64, fast+slow)
			cfg := testConfig(t, feed.url(), nil)
			cfg.Workers = 1
			last, late := uint64(0), 0 // the worker's
			cfg.Sink = sink(func(seq uint64) {
				if seq <= fast {
					return
				}
				time.Sleep(2 * time.Millisecond) // the work
				if seq <= fast+150 {
					return
				}
				for deadline := time.After(10 * time.Second); last < seq-1 && late == 0; {
					select {
					case last = <-acks:
					case <-deadline:
						late++
						t.Errorf("message %d is in hand, and only %d are acknowledged", seq, last)
					}
				}
			})
			r := start(t, cfg)
			conn := feed.login(1, `{"session":"s"}`)
			var buf []byte
			for seq := range uint64(fast + slow) {
				buf = fg1.AppendFrame(buf, fg1.Data, 0, 0, seq+1, nil)
			}
			go conn.send(buf)
			for got := 0; got < fast+slow; {
				if h, _ := conn.frame(); h.Op == fg1.Ack {
					acks <- h.Seq
					got++
				}
			}
			conn.bye()
			conn.expect(fg1.Bye, 0, 0)
			conn.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// BenchmarkCallCost is the rate over a socket, with 2 workers whose calls cost 1 ms at any length.
func BenchmarkCallCost(b *testing.B) {
	for _, c := range []struct {
		name, dispatch string
		retries        int
		function       bool // of worker.Batches
	}{{"spread", "spread", 0, false}, {"key", "key", 0, false}, {"key, retries", "key", 1, false},
		{"function, spread", "spread", 0, true}, {"function, key", "key", 0, true}} {
		b.Run(c.name, func(b *testing.B) {
			feed := newTestFeed(b)
			h := &callCost{each: time.Millisecond}
			cfg := testConfig(b, feed.url(), nil)
			cfg.Sink = batchSink(h.handle)
			if c.function {
				cfg.Sink = worker.Batches(10_000, 0, h.call)
			}
			cfg.Retries = c.retries
			if cfg.Dispatch = c.dispatch; c.dispatch == "key" {
				cfg.Key = "bytes:0:8"
			}
			r := start(b, cfg)
			conn := feed.login(1, `{"session":"s"}`)
			b.ResetTimer()
			streamNumbers(b, conn, b.N, 1000)
			b.StopTimer()
			conn.Close()
			if err := r.wait(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(h.messages.Load())/float64(h.calls.Load()), "msg/call")
		})
	}
}
