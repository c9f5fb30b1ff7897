package kit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

var errAway = errors.New("the server is away")

// TestOutcomesInAnyOrder: outcomes are set one by one, by many goroutines.
func TestOutcomesInAnyOrder(t *testing.T) {
	var resolving sync.WaitGroup
	s := &server{answer: func(_ context.Context, b *Batch) {
		for _, i := range rand.Perm(b.Len()) {
			resolving.Go(func() { b.Resolve(i, 1, Done()) })
		}
	}}
	g := handlertest.Start(t, open(t, s, Config{Outstanding: 4, MaxMessages: 30, KeyFunc: firstByte}, sink.Config{}), 2, 4096)
	const n = 3000
	for i := range n {
		g.Send(i%2, fmt.Appendf(nil, "%c %d", 'a'+i%7, i))
	}
	g.Wait(n)
	resolving.Wait()
	g.Stop()
	if g.Refused != 0 {
		t.Errorf("%d refused", g.Refused)
	}
}

// TestWaits: while a client sends a batch again by itself, the sink is not ready.
func TestWaits(t *testing.T) {
	waiting, finish := make(chan bool), make(chan bool)
	s := &server{answer: func(_ context.Context, b *Batch) {
		b.Waits(errors.New("the first reason"))
		b.Waits(errAway)
		waiting <- true
		<-finish
		b.ResolveAll(Done())
	}}
	log := new(testkit.Log)
	k := open(t, s, Config{}, sink.Config{Log: log.Logger()})
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("m"))
	<-waiting
	if !errors.Is(k.Ready(), errAway) {
		t.Errorf("ready: %v", k.Ready())
	}
	finish <- true
	g.Wait(1)
	testkit.Eventually(t, "ready again", func() bool { return k.Ready() == nil })
	g.Stop()
	if log.Count("does not take messages; they wait") != 1 || log.Count("takes messages again") != 1 {
		t.Errorf("log %s", log)
	}
}

// TestSentAgain: a batch that is sent again as a whole keeps its ID; one without messages that were
// stored gets another. Meanwhile the sink is not ready.
func TestSentAgain(t *testing.T) {
	type sending struct {
		id      uint64
		attempt int
		first   string
		n       int
	}
	sent, reply := make(chan sending), make(chan func(*Batch))
	s := &server{answer: func(ctx context.Context, b *Batch) {
		sent <- sending{b.ID, b.Attempt, string(b.At(0).Data), b.Len()}
		(<-reply)(b)
	}}
	log := new(testkit.Log)
	k := open(t, s, Config{}, sink.Config{Log: log.Tee(t), ReconnectMin: time.Millisecond, ReconnectMax: time.Millisecond})
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("0"))
	<-sent
	for _, m := range []string{"1", "2", "3"} {
		g.Send(0, []byte(m))
	}
	testkit.Eventually(t, "the messages", func() bool {
		h := k.open[0]
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.queues.byKey[0].messages.len() == 3
	})
	reply <- func(b *Batch) { b.ResolveAll(Done()) }
	again := func(b *Batch) { b.ResolveAll(Again(0, errAway)) }
	for i, step := range []struct {
		want  sending
		reply func(*Batch)
	}{
		{sending{2, 1, "1", 3}, again},
		{sending{2, 2, "1", 3}, again},
		{sending{2, 3, "1", 3}, func(b *Batch) { b.Resolve(1, 2, Again(time.Hour, nil)); b.Resolve(0, 1, Done()) }},
		{sending{3, 4, "2", 2}, again},
		{sending{3, 5, "2", 2}, func(b *Batch) { b.ResolveAll(Done()) }},
	} {
		if got := <-sent; got != step.want {
			t.Errorf("step %d: got %+v, want %+v", i, got, step.want)
		}
		if err := k.Ready(); (err != nil) != (i > 0) {
			t.Errorf("step %d: ready is %v", i, err)
		}
		reply <- step.reply
	}
	g.Wait(4)
	testkit.Eventually(t, "readiness", func() bool { return k.Ready() == nil })
	g.Stop()
	if g.Refused != 0 || log.Count("the server is away") == 0 {
		t.Errorf("%d refused, or the fault is not logged", g.Refused)
	}
	if n := log.Count("takes messages again"); n != 1 {
		t.Errorf("its end is logged %d times", n)
	}
}

// TestSplit: a batch that is refused as a whole is halved, down to the messages at fault.
func TestSplit(t *testing.T) {
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		for i := range b.Len() {
			if strings.HasPrefix(string(b.At(i).Data), "bad") {
				b.Split(worker.Refused)
				return
			}
		}
		s.accept(b, 0, b.Len())
	}
	g := handlertest.Start(t, open(t, s, Config{}, sink.Config{}), 1, 4096)
	g.Send(0, []byte("good 0"))
	g.Wait(1)
	want := []string{"good 0"}
	for i := 1; i < 200; i++ {
		m := fmt.Sprint("good ", i)
		if i == 50 || i == 51 || i == 199 {
			m = fmt.Sprint("bad ", i)
		} else {
			want = append(want, m)
		}
		g.Send(0, []byte(m))
	}
	g.Wait(200)
	if got := s.contents(); !slices.Equal(got, want) || g.Refused != 3 || g.Code(50) != worker.Refused || g.Code(199) != worker.Refused {
		t.Errorf("%d refused, stored %q", g.Refused, got)
	}
	g.Stop()
}

// TestAllRefusedAtTheStart: the settings are at fault, not the messages.
func TestAllRefusedAtTheStart(t *testing.T) {
	s, log := new(server), new(testkit.Log)
	k := open(t, s, Config{}, sink.Config{Log: log.Logger()})
	s.answer = func(_ context.Context, b *Batch) {
		k.NoteRefusal(errors.New("too salty"))
		b.ResolveAll(Refused(worker.BadRequest))
	}
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("a"))
	<-k.Failed()
	g.WantResolved(0)
	if err := k.Err(); !errors.Is(err, errAllRefused) || !strings.HasSuffix(err.Error(), ": too salty; nothing is acknowledged: see the settings, or the messages at the feed") || k.Ready() == nil {
		t.Errorf("the sink has failed with %v", err)
	}
	g.Stop()
	if log.Count(`"a message is refused by the sink or its server"`) != 1 {
		t.Error(log.String())
	}
}

func TestRefusedBesideAccepted(t *testing.T) {
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		for i := range b.Len() {
			if string(b.At(i).Data) == "bad" {
				b.Resolve(i, 1, Refused(worker.BadRequest))
			} else {
				s.accept(b, i, 1)
			}
		}
	}
	k := open(t, s, Config{Linger: time.Hour, MaxMessages: 2}, sink.Config{})
	g := handlertest.Start(t, k, 1, 64)
	for _, m := range []string{"bad", "good", "bad", "bad"} {
		g.Send(0, []byte(m))
	}
	g.Wait(4)
	if g.Refused != 3 || g.Code(0) != worker.BadRequest || k.Err() != nil {
		t.Errorf("%d refused, %v", g.Refused, k.Err())
	}
	g.Stop()
}

// TestClosedBeforeTheOutcome: an outcome after Close has no effect.
func TestClosedBeforeTheOutcome(t *testing.T) {
	batches := make(chan *Batch, 1)
	s := &server{answer: func(_ context.Context, b *Batch) { batches <- b }}
	g := handlertest.Start(t, open(t, s, Config{}, sink.Config{}), 1, 64)
	g.Send(0, []byte("a"))
	b := <-batches
	g.Stop()
	b.ResolveAll(Done())
	g.WantResolved(0)
	if s.closed != 1 {
		t.Errorf("the client was closed %d times", s.closed)
	}
}

// BenchmarkKit measures the kit alone: the server takes everything at once.
func BenchmarkKit(b *testing.B) {
	for name, cfg := range map[string]Config{
		"one key":   {},
		"keys":      {KeyFunc: func(m worker.Message) uint64 { return m.Seq % 1000 }},
		"unordered": {Unordered: true},
	} {
		b.Run(name, func(b *testing.B) {
			s := &server{answer: func(_ context.Context, batch *Batch) { batch.ResolveAll(Done()) }}
			kind := sink.Kind{Schemes: []string{"kit"}, Parse: func(sink.URL, *flagset.Flags) (sink.Target, error) {
				return sink.Target{Open: func(common *sink.Config) (*sink.Sink, error) {
					cfg.Open = func(*Sink, int) (Client, error) { return s, nil }
					return Open(cfg, common), nil
				}}, nil
			}}
			sinktest.Benchmark(b, kind, "kit:", 64)
		})
	}
}

// TestRetryAfter: the kit waits for as long as the server asks, up to ReconnectMax.
func TestRetryAfter(t *testing.T) {
	const most = 50 * time.Millisecond
	var sends []time.Time // written by the sender; read once it has ended
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		if sends = append(sends, time.Now()); len(sends) == 1 {
			b.ResolveAll(Again(time.Hour, errAway))
			return
		}
		s.accept(b, 0, b.Len())
	}
	g := handlertest.Start(t, open(t, s, Config{}, sink.Config{ReconnectMin: time.Millisecond, ReconnectMax: most}), 1, 64)
	g.Send(0, []byte("a"))
	g.Wait(1)
	g.Stop()
	if len(sends) != 2 || sends[1].Sub(sends[0]) < most {
		t.Errorf("sent at %v", sends)
	}
}

// TestLateLines: the log neither reports a wait after its end, nor the end of a handler as a wait.
func TestLateLines(t *testing.T) {
	entered := make(chan bool, 1)
	s := &server{answer: func(ctx context.Context, b *Batch) {
		if string(b.At(0).Data) == "first" {
			b.Waits(errors.New("the first reason"))
			b.Waits(errors.New("the second reason")) // would be logged a second after the first one
			b.ResolveAll(Done())
			return
		}
		entered <- true
		<-ctx.Done()
		b.Waits(ctx.Err())
		b.ResolveAll(Again(0, ctx.Err()))
	}}
	log := new(testkit.Log)
	k := open(t, s, Config{}, sink.Config{Log: log.Logger()})
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("first"))
	g.Wait(1)
	testkit.Eventually(t, "ready again", func() bool { return log.Count("takes messages again") == 1 })
	g.Send(0, []byte("second"))
	<-entered
	g.Stop()
	if err := k.Close(); err != nil { // it logs what is not logged yet
		t.Error(err)
	}
	if log.Count("the first reason") != 1 || log.Count("the second reason") != 0 || log.Count("context canceled") != 0 {
		t.Errorf("log %s", log)
	}
}
