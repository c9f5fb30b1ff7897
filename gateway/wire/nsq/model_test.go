package nsq

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// play is a connection and its server.
type play struct {
	t    *rapid.T
	c    *conn
	d    *wiretest.Driver
	s    *nsqd
	next time.Duration // when Tick is due
	late time.Duration // how late it may be called
	want int           // what Ready returns

	inFlight int
	n        int      // messages that there were so far
	arrived  []int    // by arrival number from 1 on, which message it is
	attempts []int    // by message from 1 on
	open     []uint64 // arrival numbers that are not acked, in order
	waiting  []int    // messages that were requeued
}

func newPlay(t *rapid.T) *play {
	p := &play{t: t, want: 100, inFlight: rapid.IntRange(1, 200).Draw(t, "in flight"), attempts: []int{0}, arrived: []int{0}}
	timeout := rapid.SampledFrom([]int{200, 1000, 7000, 60000}).Draw(t, "msg_timeout")
	longest := rapid.SampledFrom([]int{1, 3, 15}).Draw(t, "max_msg_timeout") * timeout
	cfg := testConfig()
	cfg.InFlight = p.inFlight
	cfg.Heartbeat = rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Minute}).Draw(t, "heartbeat")
	cfg.RequeueMin = rapid.SampledFrom([]time.Duration{0, ms, 90 * ms, 10 * time.Minute}).Draw(t, "requeue min")
	cfg.Ready = func() int { return p.want }
	p.s = &nsqd{
		t: t, timeout: time.Duration(timeout) * ms, maxTimeout: time.Duration(longest) * ms,
		heartbeat: cfg.Heartbeat, requeueMin: cfg.RequeueMin, ready: 100, flight: map[string]*sent{},
	}
	p.c, p.d = opened(t, cfg, fmt.Sprintf(`{"msg_timeout":%d,"max_msg_timeout":%d}`, timeout, longest))
	// With a delay up to this, all guarantees must hold.
	p.late = p.c.period() / 2
	p.s.coarse = p.c.period() + p.late
	p.s.now = time.Duration(rapid.IntRange(0, 1000).Draw(t, "start")) * ms
	p.s.commanded = p.s.now
	p.tick()
	return p
}

func (p *play) tick() {
	var commands []byte
	commands, p.next = p.c.Tick(nil, p.s.now)
	p.s.take(commands)
	if want := max(1, min(p.want, 2500)); p.c.phase == open && !p.s.stopped && p.s.ready != want {
		p.t.Fatalf("RDY is %d, want %d", p.s.ready, want)
	}
	if len(p.c.flight.groups) > p.inFlight+int(p.s.timeout/p.c.period()) {
		p.t.Fatalf("%d groups", len(p.c.flight.groups))
	}
}

// pass advances the clock, with a Tick whenever one is due.
func (p *play) pass() {
	hundredths := rapid.SampledFrom([]int{1, 5, 20, 60, 300}).Draw(p.t, "pass")
	for to := p.s.now + p.s.timeout/100*time.Duration(hundredths); p.s.now < to; {
		due := p.next + time.Duration(rapid.IntRange(0, int(p.late)).Draw(p.t, "late"))
		if due > to {
			p.s.pass(max(p.s.now, to))
			return
		}
		p.s.pass(max(p.s.now, due))
		p.tick()
	}
}

// feed feeds the client and takes its immediate replies.
func (p *play) feed(b []byte) {
	before := len(p.d.Out)
	if err := p.d.Feed(b); err != nil {
		p.t.Fatalf("%v", err)
	}
	p.s.take(p.d.Out[before:])
}

// deliver sends new and requeued messages, as far as the loop would decode them.
func (p *play) deliver() {
	var stream []byte
	before := len(p.d.Msgs)
	var large []bool
	for range rapid.IntRange(1, p.inFlight).Draw(p.t, "messages") {
		if len(p.open) > 0 && len(p.arrived)-int(p.open[0]) >= p.inFlight {
			break
		}
		m := p.n + 1
		if len(p.waiting) > 0 && rapid.Bool().Draw(p.t, "again") {
			m, p.waiting = p.waiting[0], p.waiting[1:]
		} else {
			p.n++
			p.attempts = append(p.attempts, rapid.SampledFrom([]int{0, 0, 0, 3, 40, 3000}).Draw(p.t, "attempts"))
		}
		p.attempts[m]++
		size := rapid.SampledFrom([]int{0, 1, 64, testLimit, testLimit + 1}).Draw(p.t, "size")
		large = append(large, size > testLimit)
		stream = append(stream, p.s.deliver(m, p.attempts[m], bodyOf(size))...)
		p.open = append(p.open, uint64(len(p.arrived)))
		p.arrived = append(p.arrived, m)
	}
	p.feed(stream)
	got := p.d.Msgs[before:]
	if len(got) != len(large) {
		p.t.Fatalf("%d messages of %d", len(got), len(large))
	}
	for i, m := range got {
		if m.Seq != uint64(before+i+1) || (m.Code == worker.TooLarge) != large[i] {
			p.t.Fatalf("message %d has number %d, code %d", before+i+1, m.Seq, m.Code)
		}
	}
}

// ack acks a run of consecutive messages, from anywhere.
func (p *play) ack() {
	if len(p.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(p.open)-1).Draw(p.t, "from")
	n := 1
	for i+n < len(p.open) && p.open[i+n] == p.open[i]+uint64(n) {
		n++
	}
	n = rapid.IntRange(1, n).Draw(p.t, "run")
	code := rapid.SampledFrom([]worker.Code{worker.OK, worker.OK, worker.DeadLettered, worker.Refused, worker.CodeHandler}).Draw(p.t, "code")
	fins, requeues := p.s.fins, p.s.requeues
	for _, seq := range p.open[i : i+n] {
		if m := p.arrived[seq]; p.s.flight[idOf(m)] == nil {
			p.t.Fatalf("message %d is not in flight", m)
		}
	}
	p.s.take(p.c.AppendAcks(nil, p.open[i], n, code))
	done := code == worker.OK || code == worker.DeadLettered
	if done && p.s.fins != fins+n || !done && p.s.requeues != requeues+n {
		p.t.Fatalf("%d FIN and %d REQ for %d messages with code %d", p.s.fins-fins, p.s.requeues-requeues, n, code)
	}
	if !done {
		for _, seq := range p.open[i : i+n] {
			p.waiting = append(p.waiting, p.arrived[seq])
		}
	}
	p.open = append(p.open[:i], p.open[i+n:]...)
	for _, m := range p.open {
		if p.s.flight[idOf(p.arrived[m])] == nil {
			p.t.Fatalf("the ack was another message's")
		}
	}
}

// TestAgainstModel runs a connection against a model of nsqd, in any order: each message is acked
// by its own id, no message in work times out, and none is touched needlessly or after its ack.
func TestAgainstModel(t *testing.T) {
	touches := 0
	rapid.Check(t, func(t *rapid.T) {
		p := newPlay(t)
		t.Repeat(map[string]func(*rapid.T){
			"deliver": func(t *rapid.T) { p.t = t; p.deliver() },
			"ack":     func(t *rapid.T) { p.t = t; p.ack() },
			"pass":    func(t *rapid.T) { p.t = t; p.pass() },
			"heartbeat": func(t *rapid.T) {
				p.s.beaten = true
				if p.feed(response("_heartbeat_")); p.s.beaten {
					t.Fatalf("a heartbeat is not answered at once")
				}
			},
			"complaint": func(t *rapid.T) {
				before := len(p.d.Events)
				p.feed(errorFrame(rapid.SampledFrom([]string{"E_FIN_FAILED x", "E_REQ_FAILED x", "E_TOUCH_FAILED x"}).Draw(t, "error")))
				if len(p.d.Events) != before+1 {
					t.Fatalf("%d events", len(p.d.Events)-before)
				}
			},
			"ready": func(t *rapid.T) { p.want = rapid.IntRange(-1, 3000).Draw(t, "ready") },
			"stop": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "stop") == 0 && !p.s.stopped {
					p.s.take(p.c.AppendStop(nil))
				} else if p.s.stopped && p.c.phase == open {
					p.feed(response("CLOSE_WAIT"))
				}
			},
		})
		p.t = t
		for len(p.open) > 0 {
			p.ack()
		}
		if len(p.s.flight) != 0 || p.s.fins+p.s.requeues != len(p.arrived)-1 {
			t.Fatalf("%d in flight, %d FIN and %d REQ of %d", len(p.s.flight), p.s.fins, p.s.requeues, len(p.arrived)-1)
		}
		touches += p.s.touches
	})
	if touches == 0 {
		t.Error("nothing was touched: the model tests nothing of it")
	}
}
