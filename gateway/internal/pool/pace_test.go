package pool

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"feedgate/ring"
	"feedgate/worker"
)

// paced is a pool of one worker, with a simulated clock, which the test's goroutine runs.
type paced struct {
	t      *testing.T
	pool   *Pool
	w      *Worker
	events ring.EventCount
	clock  time.Duration
	next   uint32
	held   int // messages given and not replied to
}

func newPaced(t *testing.T, span time.Duration, sink func(p *paced) worker.Sink, change ...func(*Config)) *paced {
	t.Helper()
	p := &paced{t: t, clock: time.Second}
	slabs := NewSlabs(1, func(uint16) {})
	slabs.At(0).Data = make([]byte, 8)
	slabs.Hold(0, 1<<30)
	cfg := Config{
		Workers: 1, Ring: 8192, InFlight: 1 << 16, Slabs: slabs, Sink: sink(p),
		DrainSpan: span, Events: &p.events, Wake: func() {}, Now: func() time.Duration { return p.clock },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	pool, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.pool, p.w = pool, pool.Workers()[0]
	t.Cleanup(func() {
		if p.pool == nil {
			return // the test has stopped it
		}
		if err := pool.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// fill gives the worker as many messages as it may have and as fit its ring, each a run.
func (p *paced) fill() {
	for p.held < p.w.Allowance() {
		spans := p.w.In().Reserve(1)
		if len(spans) == 0 {
			break
		}
		spans[0] = Span(0, 8)
		p.w.In().Commit(Desc{Seq: uint64(p.next), Slot: p.next}, 1)
		p.next++
		p.held++
	}
	p.w.In().Publish()
}

// turn runs the worker for a turn and takes its replies.
func (p *paced) turn() bool {
	busy := p.pool.Turn(0)
	n := 0
	for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
		p.held -= int(p.w.Reply(b).Count)
		n++
	}
	p.w.Out().Release()
	p.events.Sub(n)
	return busy
}

// TestPaceBoundsWhatAWorkerHas: a worker of any speed has no more than it can do within the span,
// from its first message on; a fast one has as many as its ring has space for.
func TestPaceBoundsWhatAWorkerHas(t *testing.T) {
	const span = 5 * time.Second
	for _, each := range []time.Duration{time.Nanosecond, time.Microsecond, 100 * time.Microsecond, 5 * time.Millisecond, 600 * time.Millisecond, 20 * time.Second} {
		t.Run(each.String(), func(t *testing.T) {
			p := newPaced(t, span, func(p *paced) worker.Sink {
				return byCode(func(worker.Message) worker.Code { p.clock += each; return worker.OK })
			})
			most := 0
			for range 3000 {
				p.fill()
				most = max(most, p.held)
				p.turn()
			}
			limit := max(1, int(span/each))
			if each < time.Millisecond {
				p.fill()
				if free := len(p.w.In().Reserve(1)); free > 0 && p.held < limit*9/10 {
					t.Errorf("%d messages with space for more, of %d that it can do", p.held, limit)
				}
			}
			if most > max(limit+limit/10, firstAllowance) {
				t.Errorf("%d messages at once; it can do %d within %v", most, limit, span)
			}
			if p.fill(); p.held > max(limit+limit/10, 1) {
				t.Errorf("%d messages at the end; it can do %d within %v", p.held, limit, span)
			}
		})
	}
}

// TestPaceFollows: one slow message at the start, as of a child process that starts, does not limit
// a fast handler for long; a handler that becomes slow gets fewer.
func TestPaceFollows(t *testing.T) {
	each := 50 * time.Millisecond
	p := newPaced(t, 5*time.Second, func(p *paced) worker.Sink {
		return byCode(func(worker.Message) worker.Code { p.clock += each; return worker.OK })
	})
	p.fill()
	p.turn()
	for each = 2 * time.Microsecond; p.next < 120_000; {
		p.fill()
		p.turn()
	}
	if n := p.w.Allowance(); n < 100_000 {
		t.Errorf("may have %d messages after 120,000 fast ones", n)
	}
	each = 10 * time.Millisecond
	for until := p.clock + 5*time.Second; p.clock < until; {
		p.fill()
		p.turn()
	}
	if n := p.w.Allowance(); n > 600 {
		t.Errorf("may have %d messages of 10ms each", n)
	}
}

// TestPaceIsAnAverage: neither a quick first message nor rare slow ones mislead the estimate.
func TestPaceIsAnAverage(t *testing.T) {
	const span = 5 * time.Second
	for name, c := range map[string]struct {
		takes func(i int) time.Duration
		mean  time.Duration
	}{
		"works after it has answered": {func(i int) time.Duration { return time.Duration(min(i, 1)) * 5 * time.Millisecond }, 5 * time.Millisecond},
		"one in 200 is slow": {func(i int) time.Duration {
			if i%200 == 199 {
				return 500 * time.Millisecond
			}
			return time.Millisecond
		}, 3500 * time.Microsecond},
		"every second one is quick": {func(i int) time.Duration { return time.Duration(i%2) * 20 * time.Millisecond }, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			i := 0
			p := newPaced(t, span, func(p *paced) worker.Sink {
				return byCode(func(worker.Message) worker.Code {
					p.clock += c.takes(i) + time.Microsecond
					i++
					return worker.OK
				})
			})
			most := 0
			for range 5000 {
				p.fill()
				most = max(most, p.held)
				p.turn()
			}
			if limit := int(span / c.mean); most > limit*3/2 {
				t.Errorf("%d messages at once; it can do %d within %v", most, limit, span)
			}
		})
	}
}

// TestPaceOfBatches: a handler whose time does not depend on the number of messages gets as many as
// it can use, within a few batches. Each time, it takes all messages that have arrived.
func TestPaceOfBatches(t *testing.T) {
	for _, c := range []struct{ span, each time.Duration }{
		{5 * time.Second, time.Second}, {5 * time.Second, 4 * time.Second}, {500 * time.Millisecond, 400 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(c.each, " of ", c.span), func(t *testing.T) {
			var g *gatherer
			p := newPaced(t, c.span, func(*paced) worker.Sink {
				return gatherSink{open: func(done worker.Completer) worker.Handler {
					g = &gatherer{c: done, want: 1 << 30}
					return g
				}}
			})
			turn := func() {
				p.fill()
				for p.turn() {
					p.fill()
				}
			}
			taken := 0 // messages, of g.n, that the handler processes now
			turn()
			for round := range 20 {
				p.clock += c.each
				if taken > 0 {
					g.c.Resolve(g.first, taken, worker.OK)
					g.c.Flush()
					g.first, g.n = g.first+worker.ID(taken), g.n-taken
				}
				turn() // gives it more
				taken = g.n
				if taken >= 500 {
					t.Logf("%d messages in batch %d", taken, round)
					return
				}
			}
			t.Errorf("%d messages after 20 batches, %d allowed", taken, p.w.Allowance())
		})
	}
}

// TestSlowHandlerIsNotStarved: a handler that is slow, and has deferred all its messages, gets no
// more than it can do.
func TestSlowHandlerIsNotStarved(t *testing.T) {
	var s *starver
	p := newPaced(t, 5*time.Second, func(*paced) worker.Sink {
		return gatherSink{open: func(done worker.Completer) worker.Handler {
			s = &starver{gatherer{c: done, want: 1 << 30}, false}
			done.SetHooks(worker.Hooks{Starved: s.starved})
			return s
		}}
	})
	const each = 700 * time.Millisecond
	for k := range worker.ID(200) {
		for due := p.clock + each; p.clock < due; p.clock += 10 * time.Millisecond {
			p.fill()
			p.turn()
		}
		s.c.Resolve(k, 1, worker.OK)
		s.c.Flush()
		if p.turn(); p.held > int(5*time.Second/each) {
			t.Fatalf("%d messages of %v each, with %d done", p.held, each, k+1)
		}
	}
}

// gatherer defers messages until it has want of them, then resolves them all.
type gatherer struct {
	c      worker.Completer
	want   int
	first  worker.ID
	n      int
	rounds int
}

func (g *gatherer) Handle(b worker.Batch) {
	n := b.Len()
	first := b.Defer(n)
	if g.n == 0 {
		g.first = first
	}
	if g.n += n; g.n >= g.want {
		g.c.Resolve(g.first, g.n, worker.OK)
		g.c.Flush()
		g.n = 0
		g.rounds++
	}
}
func (g *gatherer) Drain()       {}
func (g *gatherer) Close() error { return nil }

type starver struct {
	gatherer
	busy bool
}

func (s *starver) starved() bool { return !s.busy }

type gatherSink struct {
	worker.Sink
	open func(c worker.Completer) worker.Handler
}

func (s gatherSink) Open(c worker.Completer) (worker.Handler, error) { return s.open(c), nil }

// TestStarvedHandlerGetsMore: a handler that resolves nothing before it has many messages gets
// them, with the hook Starved or without. If Starved returns false, it gets them only after it has
// resolved nothing for span.
func TestStarvedHandlerGetsMore(t *testing.T) {
	const span = 5 * time.Second
	for _, c := range []struct {
		name       string
		hook, busy bool
	}{{"without the hook", false, false}, {"starved", true, false}, {"not starved", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			var g *gatherer
			p := newPaced(t, span, func(*paced) worker.Sink {
				return gatherSink{open: func(done worker.Completer) worker.Handler {
					s := &starver{gatherer{c: done, want: 2000}, c.busy}
					if g = &s.gatherer; c.hook {
						done.SetHooks(worker.Hooks{Starved: s.starved})
					}
					return g
				}}
			})
			began := p.clock
			for g.rounds < 3 && p.clock-began < time.Hour {
				p.fill()
				if !p.turn() {
					p.clock += 100 * time.Millisecond
				}
				if c.busy && p.clock-began < span && p.held > firstAllowance {
					t.Fatalf("%d messages after %v", p.held, p.clock-began)
				}
			}
			if g.rounds < 3 {
				t.Errorf("%d rounds; %d messages with it, %d allowed", g.rounds, p.held, p.w.Allowance())
			}
		})
	}
}

// TestPaceOfOthersCounts: a worker whose own pace is unknown may have as many messages as another
// one.
func TestPaceOfOthersCounts(t *testing.T) {
	p := newPaced(t, 5*time.Second, func(*paced) worker.Sink { return byCode(func(worker.Message) worker.Code { return worker.OK }) })
	if n := p.w.Allowance(); n != firstAllowance {
		t.Errorf("may have %d messages before anything is known", n)
	}
	p.pool.quota.Store(1000)
	if n := p.w.Allowance(); n != 1000 {
		t.Errorf("may have %d messages, another worker 1000", n)
	}
	p.w.pace.each, p.w.pace.quota = 1, 20
	p.w.keepPace()
	if n := p.w.Allowance(); n != 20 {
		t.Errorf("may have %d messages, 20 at its own pace", n)
	}
}

// TestAllowanceLeavesOutRetries: messages that wait for their next try do not count against the
// allowance.
func TestAllowanceLeavesOutRetries(t *testing.T) {
	p := newPaced(t, time.Second, func(*paced) worker.Sink { return byCode(func(worker.Message) worker.Code { return worker.OK }) })
	p.w.retry = newRetrier(p.w, &Config{Retries: 1, RetryMin: time.Hour})
	before := p.w.Allowance()
	for i := range 5 {
		p.w.retry.due = append(p.w.retry.due, dueTry{at: time.Duration(i) * time.Hour})
	}
	p.w.keepPace()
	if got := p.w.Allowance(); got != before+5 {
		t.Errorf("may have %d messages with 5 waiting, %d without", got, before)
	}
	p.w.retry.due = nil
}

// TestCodesOfHandlers: a code that handlers must not use counts as Refused.
func TestCodesOfHandlers(t *testing.T) {
	for code, want := range map[worker.Code]worker.Code{
		worker.OK: worker.OK, worker.Refused: worker.Refused, worker.BadRequest: worker.BadRequest, worker.TooLarge: worker.Refused, 4: worker.Refused, 6: worker.Refused,
		worker.DeadLettered: worker.Refused, 999: worker.Refused, 1000: 1000, 8191: 8191, 8192: worker.Refused, 65535: worker.Refused,
	} {
		var c worker.Completer
		for how, sink := range map[string]worker.Sink{
			"function": byCode(func(worker.Message) worker.Code { return code }),
			"batch":    batchSink(func(b worker.Batch) { b.Resolve(1, code) }),
			"deferred": gatherSink{open: func(done worker.Completer) worker.Handler {
				c = done
				return batchHandler{func(b worker.Batch) { c.Resolve(b.Defer(1), 1, code); c.Flush() }}
			}},
		} {
			t.Run(fmt.Sprint(how, " ", code), func(t *testing.T) {
				p := newPaced(t, 0, func(*paced) worker.Sink { return sink })
				p.w.In().Reserve(1)[0] = Span(0, 8)
				p.w.In().Commit(Desc{}, 1)
				p.w.In().Publish()
				for p.pool.Turn(0) {
				}
				var got []worker.Code
				for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
					if r := p.w.Reply(b); r.Count > 0 {
						got = append(got, r.Code)
					}
				}
				if !slices.Equal(got, []worker.Code{want}) {
					t.Errorf("codes %v, want %d", got, want)
				}
			})
		}
	}
}
