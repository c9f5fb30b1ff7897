package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/wire"
	"feedgate/ring"
	"feedgate/worker"
)

const (
	// outLimit is how many unsent bytes stop the loop from taking replies and
	// from reading: a peer that does not read holds everything back.
	outLimit = 256 << 10
	// bulkRead is how many bytes of one read are many.
	bulkRead = 64 << 10
)

// loop connects the socket and the workers. Its goroutine calls turn as long as there is
// something to do, and owns all fields but the bell.
type loop struct {
	world world
	cfg   *Config
	set   settings
	log   *slog.Logger
	stats *Stats

	pool    *worker.Pool
	workers []*worker.Worker
	slabs   *slabPool

	win     *window
	out     outbuf
	ack     acker
	seq     sequence
	in      intake
	link    link
	session session

	working   int   // messages that are with workers
	given     []int // with each
	acksOK    int   // of this turn, yet to be counted
	latencies fifo[readBatch]
	stop      stopping
	lastTurn  time.Duration
	paused    bool // the last turn did not want to read
	blocked   bool // what the workers know of that
	refused   refusals
	skipped   skipped
	short     bool // logMemory has logged that the kernel gives no memory

	sends   [maxBatch][]byte
	scratch [16 << 10]byte // what is read and discarded

	bell ring.Bell // shared: workers ring it
}

// readBatch is the messages of one read: when it was, and the place behind them.
type readBatch struct {
	end  uint64
	when time.Duration
}

func newLoop(cfg *Config, set settings, stats *Stats, w world) *loop {
	l := &loop{world: w, cfg: cfg, set: set, log: cfg.Log, stats: stats}
	l.slabs = newSlabPool(cfg.Memory, cfg.MaxMessage+int64(set.traits.Overhead))
	l.win = newWindow(set.window)
	l.out.pack = cfg.FlushPack
	l.ack = acker{
		mode: set.ack, rendered: set.traits.RenderAcks, interval: cfg.AckInterval,
		win: l.win, out: &l.out, sent: l.countAcks,
	}
	l.in.init(l)
	l.link.init(l)
	l.refused = refusals{ack: &l.ack, codes: make(map[worker.Code]int)}
	l.skipped = skipped{l: l}
	l.link.repeats.watch(&l.refused)
	l.link.repeats.watch(&l.skipped)
	l.session.restore(l)
	return l
}

// engage sets the workers that get the messages.
func (l *loop) engage(workers []*worker.Worker) {
	l.workers, l.given = workers, make([]int, len(workers))
}

func (l *loop) ringDepths(yield func(worker int, ring string, depth int)) {
	for i, w := range l.workers {
		yield(i, "in", w.In().Len())
		yield(i, "out", w.Out().Len()/worker.ReplyBytes)
	}
}

// turn runs each stage once; false when none had anything to do.
func (l *loop) turn() bool {
	now := l.world.now()
	if l.link.deaf() {
		l.link.heard += now - l.lastTurn
	}
	l.lastTurn = now

	busy := l.takeReplies(now)
	busy = l.takeInput(now) || busy
	busy = l.takeReplies(now) || busy
	l.ack.tell(now, l.link.finishing())
	busy = l.flush(now) || busy
	l.observe(now)
	l.logMemory()
	busy = l.link.step(now) || busy
	l.publishStats()
	l.reportBlocked()
	return busy || l.out.len() > 0 && l.link.writable
}

// reportBlocked tells the workers whether no message comes until some are completed, so that
// a sink does not wait for more.
func (l *loop) reportBlocked() {
	blocked := l.paused || l.win.room() == 0
	if blocked == l.blocked {
		return
	}
	l.blocked = blocked
	for _, w := range l.workers {
		w.SetBlocked(blocked)
	}
}

// sleep announces that turn will not be called before the bell rings, an edge comes
// or something is due; false when there is something to do first.
func (l *loop) sleep() bool {
	// With the peer not reading, replies stay where they are and workers have
	// nothing to tell; the socket's edge wakes the loop.
	return l.out.len() >= outLimit || l.bell.Sleep()
}

// takeReplies moves replies from the workers' rings to the window and the acks.
func (l *loop) takeReplies(now time.Duration) bool {
	if l.bell.Pending() == 0 {
		return false
	}
	taken := 0
	for i, w := range l.workers {
		n := 0
		for l.out.len() < outLimit {
			record := w.Out().Next()
			if record == nil {
				break
			}
			n++
			if r := w.Reply(record); r.Count > 0 {
				l.working -= int(r.Count)
				l.given[i] -= int(r.Count)
				if r.Code == worker.Returned {
					l.returned(l.win.widen(r.Place), int(r.Count))
					continue
				}
				l.finished(l.win.widen(r.Place), int(r.Count), r.Code, r.Ack, now)
			}
		}
		if n > 0 {
			w.Out().Release()
			w.WakeForRoom()
			taken += n
		}
	}
	if taken > 0 {
		l.bell.Answer(taken)
	}
	return taken > 0
}

// room is how many messages more may be given to workers; beyond want it need not be
// exact. Acks that the kernel has not put on the wire count as in flight still: the
// reset that a killed process leaves behind destroys them, and what they were for is
// sent again.
func (l *loop) room(want int, now time.Duration) int {
	if l.win.room()-l.out.held < want && l.out.held > 0 && l.out.transmitted(l.link.sock.unsent()) {
		l.link.wrote = now
	}
	return max(0, l.win.room()-l.out.held)
}

// flush sends what there is to send, as far as the kernel takes it.
func (l *loop) flush(now time.Duration) bool {
	busy := false
	for l.out.len() > 0 && l.link.writable {
		n := l.out.plan(l.sends[:l.cfg.FlushMax])
		size := 0
		for _, m := range l.sends[:n] {
			size += len(m)
		}
		sent, err := l.link.sock.send(l.sends[:n])
		l.stats.Flushes.Add(1)
		if err != nil && !wouldBlock(err) {
			l.link.cannotSend(now, err)
			return true
		}
		if sent < size {
			l.link.writable = false
		}
		if sent > 0 {
			busy = true
			if l.in.clogged == 0 {
				l.link.wrote = now
			}
			l.out.took(sent, l.win.settle)
		}
	}
	if !l.link.owing() && l.link.phase != lingering {
		l.link.wrote = now
	}
	return busy
}

// note remembers a read batch, or that more of the last one was dispatched.
func (l *loop) note(b readBatch) {
	if l.latencies.len() > 0 && l.latencies.last().when == b.when {
		l.latencies.last().end = b.end
		return
	}
	l.latencies.push(b)
}

// observe records the time from read to ack sent for read batches that are
// through.
func (l *loop) observe(now time.Duration) {
	for l.latencies.len() > 0 && l.latencies.first().end <= l.win.base {
		l.stats.Latency.observe(now - l.latencies.first().when)
		l.latencies.pop()
	}
}

// returned takes back messages that a drain has found with a worker and not with its
// handler. The peer has them in flight and gives them to another client once the
// connection ends.
func (l *loop) returned(place uint64, n int) {
	l.stats.Dropped.Add(uint64(n))
	l.stats.returned.Add(uint64(n))
	l.ack.skip(place, n)
}

// finished handles the outcome of n messages; ack is what the worker rendered, valid until
// finished returns.
func (l *loop) finished(place uint64, n int, code worker.Code, ack []byte, now time.Duration) {
	switch code {
	case worker.OK:
	case worker.DeadLettered:
		l.stats.DeadLettered.Add(uint64(n))
		l.refused.add(code, n)
	default:
		l.stats.Refused.Add(uint64(n))
		if code != worker.TooLarge || l.cfg.Assemble != "" { // the others are logged as skipped
			l.refused.add(code, n)
		}
	}
	l.ack.finished(place, n, code, ack, now)
}

// logMemory logs, once per shortage, that reading waits for memory from the kernel.
func (l *loop) logMemory() {
	if short := l.slabs.failed != nil; short != l.short {
		if l.short = short; short {
			l.log.Error("no memory for a read buffer; reading waits", "error", l.slabs.failed)
		}
	}
}

func (l *loop) countAcks(code worker.Code, n int) {
	if code == worker.OK {
		l.acksOK += n
		return
	}
	l.stats.addAcks(uint16(code), n)
}

func (l *loop) publishStats() {
	if l.acksOK > 0 {
		l.stats.addAcks(uint16(worker.OK), l.acksOK)
		l.acksOK = 0
	}
	l.stats.InFlight.Store(int64(l.win.span()))
	l.stats.Watermark.Store(l.win.runs.watermark(l.win.base, l.win.next))
	l.session.save(l)
	l.stats.Panics.Store(l.pool.Panics())
}

// resume is the session that a new connection may resume.
func (l *loop) resume(host string) wire.Resume {
	r := wire.Resume{Client: l.cfg.ClientName, Token: l.cfg.Token.bytes(), Host: host}
	if l.session.id != "" {
		r.Session = l.session.id
		r.Seq = l.win.runs.watermark(l.win.base, l.win.next)
	}
	return r
}
