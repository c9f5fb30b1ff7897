package worker_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

// TestBatches: each message is resolved once, with its own outcome, in calls of up to most messages
// in order of arrival.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 10).Draw(rt, "most")
		wait := time.Duration(rapid.IntRange(0, 1).Draw(rt, "wait")) * time.Hour // the drain ends it
		all := rapid.SliceOfN(rapid.Custom(drawOutcome), 1, 60).Draw(rt, "outcomes")
		msgs, want := make([]handlertest.Message, len(all)), make([]worker.Code, len(all))
		for i := range all {
			all[i].panics = false
			msgs[i].Data = string(rune('A' + i))
			want[i] = all[i].final()
		}
		first := map[rune]bool{}
		last := rune(0)
		codes := handlertest.Run(t, worker.Batches(most, wait, func(_ context.Context, batch []worker.Message) []error {
			if len(batch) == 0 || len(batch) > most {
				rt.Errorf("a call with %d messages, at most %d", len(batch), most)
			}
			errs := make([]error, len(batch))
			for i, m := range batch {
				r := []rune(string(m.Data))[0]
				if !first[r] {
					if r < last {
						rt.Errorf("message %d after %d", r-'A', last-'A')
					}
					first[r], last = true, r
				}
				errs[i] = all[r-'A'].err()
			}
			return errs
		}), msgs...)
		if fmt.Sprint(codes) != fmt.Sprint(want) {
			rt.Errorf("codes %v, want %v", codes, want)
		}
	})
}

// calls is a function for batches that waits for the test.
type calls struct {
	begun  chan int // messages of a call
	finish chan []error
}

func newCalls() *calls { return &calls{make(chan int), make(chan []error)} }

func (c *calls) f(ctx context.Context, msgs []worker.Message) []error {
	c.begun <- len(msgs)
	select {
	case errs := <-c.finish:
		return errs
	case <-ctx.Done():
		return nil
	}
}

func sendAll(g *handlertest.Gateway, n int) {
	for range n {
		g.Send(0, []byte("m"))
	}
}

// TestBatchesGrow: what arrives during a call makes the next batch.
func TestBatchesGrow(t *testing.T) {
	c := newCalls()
	g := handlertest.Start(t, worker.Batches(1000, 0, c.f), 1, 1000)
	g.Send(0, []byte("first"))
	if n := <-c.begun; n != 1 {
		t.Fatalf("%d messages in the first call", n)
	}
	sendAll(g, 400)
	got := 1
	for got < 401 {
		c.finish <- nil
		n := <-c.begun
		got += n
	}
	c.finish <- nil
	g.Wait(401)
	g.Stop()
	if g.Refused != 0 {
		t.Errorf("%d messages are refused", g.Refused)
	}
}

// TestBatchesWait: a batch waits until it is full, the oldest message has waited long enough, no
// more can arrive, or the drain.
func TestBatchesWait(t *testing.T) {
	for name, c := range map[string]struct {
		most int
		wait time.Duration
		ends func(g *handlertest.Gateway)
	}{
		"full":                 {5, time.Hour, func(*handlertest.Gateway) {}},
		"waited":               {1000, 20 * time.Millisecond, func(*handlertest.Gateway) {}},
		"the gateway is full":  {1000, time.Hour, func(g *handlertest.Gateway) { g.SetBlocked(0, true) }},
		"the gateway's end":    {1000, time.Hour, func(g *handlertest.Gateway) { g.Drain() }},
		"a full ring of words": {10_000, time.Hour, func(g *handlertest.Gateway) { sendAll(g, 1019) }},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var sizes []int
			g := handlertest.Start(t, worker.Batches(c.most, c.wait, func(_ context.Context, msgs []worker.Message) []error {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(msgs))
				return nil
			}), 1, 2000)
			sendAll(g, 5)
			c.ends(g)
			g.Wait(g.Sent())
			g.Stop()
			if name == "full" && !slices.Equal(sizes, []int{5}) {
				t.Errorf("calls with %v messages", sizes)
			}
		})
	}
	g := handlertest.Start(t, worker.Batches(1000, time.Hour, func(_ context.Context, msgs []worker.Message) []error { return nil }), 1, 100)
	sendAll(g, 5)
	g.WantResolved(0)
	g.Stop()
}

// TestBatchesPanic: a panic, and a wrong number of errors, refuse the messages of one call.
func TestBatchesPanic(t *testing.T) {
	c := newCalls()
	g := handlertest.Start(t, worker.Batches(2, 0, func(ctx context.Context, msgs []worker.Message) []error {
		errs := c.f(ctx, msgs)
		if len(errs) == 1 {
			panic(errs[0])
		}
		return errs
	}), 1, 100)
	sendAll(g, 1)
	<-c.begun
	c.finish <- []error{worker.Again(0)} // it panics
	g.Wait(1)
	sendAll(g, 1)
	<-c.begun
	c.finish <- make([]error, 3) // for one message
	g.Wait(2)
	sendAll(g, 1)
	<-c.begun
	c.finish <- nil
	g.Wait(3)
	g.Stop()
	if g.Code(0) != worker.Refused || g.Code(1) != worker.Refused || g.Code(2) != worker.OK || g.Panics() != 2 {
		t.Errorf("codes %d, %d, %d, %d panics", g.Code(0), g.Code(1), g.Code(2), g.Panics())
	}
}

// TestBatchesWithBrokenErrors: a panic in a method of an error refuses the messages, too.
func TestBatchesWithBrokenErrors(t *testing.T) {
	codes := handlertest.Run(t, worker.Batches(10, 0, func(_ context.Context, msgs []worker.Message) []error {
		errs := make([]error, len(msgs))
		for i := range errs {
			errs[i] = (*os.PathError)(nil)
		}
		return errs
	}), handlertest.Messages("a", "b")...)
	if !slices.Equal(codes, []worker.Code{worker.Refused, worker.Refused}) {
		t.Errorf("codes %v", codes)
	}
}

// TestGoexit: a function that ends its goroutine ends no worker; what it had stays unresolved.
func TestGoexit(t *testing.T) {
	exit := func(m worker.Message) {
		if string(m.Data) == "exit" {
			runtime.Goexit()
		}
	}
	for name, sink := range map[string]worker.Sink{
		"Each":    worker.Each(func(_ context.Context, m worker.Message) error { exit(m); return nil }),
		"Batches": worker.Batches(1, 0, func(_ context.Context, msgs []worker.Message) []error { exit(msgs[0]); return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			g := handlertest.Start(t, sink, 1, 10)
			g.Send(0, []byte("a"))
			g.Wait(1)
			g.Send(0, []byte("exit"))
			g.WaitFor("the end of the goroutine", func() bool { return g.Panics() == 1 })
			g.Send(0, []byte("b"))
			g.Wait(2)
			g.Stop()
			if g.Refused != 0 {
				t.Errorf("%d messages are refused", g.Refused)
			}
		})
	}
}

// TestBatchesStop: a call ends with its context, and its messages are not resolved.
func TestBatchesStop(t *testing.T) {
	c := newCalls()
	g := handlertest.Start(t, worker.Batches(10, 0, c.f), 1, 100)
	sendAll(g, 1)
	<-c.begun
	sendAll(g, 3)
	g.Stop() // returns after the call
	g.WantResolved(0)
}
