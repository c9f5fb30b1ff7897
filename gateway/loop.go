package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/internal/pool"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/ring"
	"feedgate/worker"
)

const (
	// maxUnsent is how many unsent bytes stop the loop from taking replies and
	// from reading: a peer that does not read holds everything back.
	maxUnsent = 256 << 10
	// bulkRead is how many bytes of one read are many.
	bulkRead = 64 << 10
)

// loop connects the socket and the workers. Its goroutine calls turn as long as there is
// something to do, and owns all fields but the bell.
type loop struct {
	env   env
	cfg   *Config
	set   settings
	log   *slog.Logger
	stats *Stats

	pool    *pool.Pool
	workers []*pool.Worker
	slabs   *slabPool

	track    *delivery.Tracker
	out      *delivery.SendBuffer // track's
	receiver receiver
	conn     conn
	session  session

	outstanding     []int // messages that are with each worker
	acksOK          int   // of this turn, yet to be counted
	stop            stopping
	lastTurn        time.Duration
	paused          bool // the last turn did not want to read
	reportedBlocked bool // what the workers know of that
	refused         refusals
	skipped         skipped
	gaps            gaps
	stall           stall
	memoryShort     bool // logMemory has logged that the kernel gives no memory

	sends   [maxBatch][]byte
	scratch [16 << 10]byte // what is read and discarded

	bell ring.Bell // shared: workers ring it
}

func newLoop(cfg *Config, set settings, stats *Stats, w env) *loop {
	l := &loop{env: w, cfg: cfg, set: set, log: cfg.Log, stats: stats}
	l.slabs = newSlabPool(cfg.Memory-cfg.outputMemory(), cfg.MaxMessage+int64(set.codec.Overhead))
	l.session.restore(l)
	l.track = delivery.New(delivery.Config{
		Mode: set.ack, Sequenced: set.codec.Sequenced, Rendered: set.codec.RenderAcks,
		InFlight: set.window, Interval: cfg.AckInterval, Pack: cfg.FlushPack, Count: l.countAcks,
		Watermark: l.session.saved.Seq, FirstSlot: set.firstSlot,
		SendLimit: maxUnsent, Memory: l.slabs.memory, AckChunk: l.slabs.size,
	})
	l.slabs.acksDouble = set.codec.RenderAcks && set.ack == wire.AckOrdered
	l.out = l.track.SendBuffer()
	l.receiver.init(l)
	l.conn.init(l)
	l.refused = refusals{unacked: l.track.TakeSuppressed, why: set.codec.NoRefusals, codes: make(map[worker.Code]int)}
	l.skipped = skipped{l: l}
	l.refused.changed = l.conn.log.tally("refused", l.refused.take)
	l.skipped.changed = l.conn.log.tally("skipped", l.skipped.take)
	l.gaps.changed = l.conn.log.tally("gaps", l.gaps.take)
	return l
}

// setWorkers sets the workers that get the messages.
func (l *loop) setWorkers(workers []*pool.Worker) {
	l.workers, l.outstanding = workers, make([]int, len(workers))
}

func (l *loop) ringDepths(yield func(worker int, ring string, depth int)) {
	for i, w := range l.workers {
		yield(i, "in", w.In().Len())
		yield(i, "out", w.Out().Len()/pool.ReplyBytes)
	}
}

// turn runs each stage once; false when none had anything to do.
func (l *loop) turn() bool {
	now := l.env.now()
	if l.conn.idlePaused() {
		l.conn.idleSince += now - l.lastTurn
	}
	l.lastTurn = now
	l.stall.watch(l, now)

	busy := l.collectReplies(now)
	busy = l.receive(now) || busy
	busy = l.collectReplies(now) || busy // what workers have finished since goes out with this flush
	if l.track.Flush(now, l.conn.is(finishes)) {
		busy = true
		l.countExternal()
	}
	busy = l.flush(now) || busy
	l.observeLatency(now)
	l.logMemory()
	busy = l.conn.step(now) || busy
	l.publishStats()
	l.reportBlocked()
	busy = l.slabs.reclaim(l.pool, !busy) || busy
	return busy || l.out.Len() > 0 && l.conn.peer.writable
}

// reportBlocked reports to the workers whether no message comes until some are completed, so
// that a sink does not wait for more.
func (l *loop) reportBlocked() {
	blocked := l.paused || l.track.Full()
	if blocked == l.reportedBlocked {
		return
	}
	l.reportedBlocked = blocked
	for _, w := range l.workers {
		w.SetBlocked(blocked)
	}
}

// sleep announces that turn will not be called before the bell rings, an edge comes
// or something is due; false when there is something to do first.
func (l *loop) sleep() bool {
	// If the peer does not read, replies stay where they are, and the bell must not wake
	// the loop; the socket's edge does.
	return l.out.Len() >= maxUnsent || l.bell.Sleep()
}

// collectReplies moves replies from the workers' rings to the tracker.
func (l *loop) collectReplies(now time.Duration) bool {
	if l.bell.Pending() == 0 {
		return false
	}
	taken := 0
	for i, w := range l.workers {
		n := 0
		for l.out.Len() < maxUnsent {
			record := w.Out().Next()
			if record == nil {
				break
			}
			n++
			if r := w.Reply(record); r.Count > 0 {
				l.outstanding[i] -= int(r.Count)
				l.stall.progress(l, now)
				l.complete(r.Slot, int(r.Count), r.Code, r.Ack, now)
			}
		}
		if n > 0 {
			w.ReleaseReplies()
			taken += n
			l.countExternal()
		}
	}
	if taken > 0 {
		l.bell.Answer(taken)
	}
	return taken > 0
}

// countExternal counts what --memory bounds beside the slabs.
func (l *loop) countExternal() {
	own := int64(cap(l.receiver.input.Own))
	if !l.set.codec.RenderAcks {
		l.slabs.setExternal(own, 0)
		return
	}
	waiting, kept := l.track.WaitingAcks()
	long := l.pool.AckBytes()
	l.slabs.setExternal(own+kept+long, waiting+long)
}

// room is how many messages more may be given to workers; beyond want it need not be
// exact. It asks the kernel what of the acks that it has is on the wire only if there is
// less room than that.
func (l *loop) room(want int, now time.Duration) int {
	if l.track.Room() < want && l.out.InKernel() > 0 && l.out.Transmitted(l.conn.sock.untransmitted()) {
		l.conn.lastAccepted = now
	}
	return l.track.Room()
}

// flush sends what there is to send, as far as the kernel takes it.
func (l *loop) flush(now time.Duration) bool {
	busy := false
	for l.out.Len() > 0 && l.conn.peer.writable {
		n := l.out.Plan(l.sends[:l.cfg.FlushMax])
		size := 0
		for _, m := range l.sends[:n] {
			size += len(m)
		}
		sent, err := l.conn.sock.send(l.sends[:n])
		l.stats.Flushes.Add(1)
		if err != nil && !wouldBlock(err) {
			l.conn.sendFailed(now, err)
			return true
		}
		if sent < size {
			l.conn.peer.writable = false
		}
		if sent > 0 {
			busy = true
			l.conn.path.sent(now)
			if l.receiver.sendBlockedSince == 0 {
				l.conn.lastAccepted = now
			}
			l.out.Sent(sent)
		}
	}
	if !l.conn.writePending() && !l.conn.is(lingers) {
		l.conn.lastAccepted = now
	}
	return busy
}

// observeLatency records the time from each read to the last ack of what it brought.
func (l *loop) observeLatency(now time.Duration) {
	for when, ok := l.track.NextAcked(); ok; when, ok = l.track.NextAcked() {
		l.stats.Latency.observe(now - when)
	}
}

// complete handles the outcome of n messages. slot is the low half of the first one's slot;
// ack is what the worker rendered, valid until finished returns.
func (l *loop) complete(slot uint32, n int, code worker.Code, ack []byte, now time.Duration) {
	switch code {
	case worker.OK:
	case pool.Returned:
		// A drain found them with a worker and not with its handler. The peer has them in
		// flight and gives them to another client once the connection ends.
		l.stats.Dropped.Add(uint64(n))
		l.stats.returned.Add(uint64(n))
	case worker.DeadLettered:
		l.stats.DeadLettered.Add(uint64(n))
		l.refused.add(code, n)
	default:
		l.stats.Refused.Add(uint64(n))
		if code != worker.TooLarge || l.set.codec.Joins { // the others are logged as skipped
			l.refused.add(code, n)
		}
	}
	l.track.Done(slot, n, code, ack, now)
}

// logMemory logs, once per shortage, that reading waits for memory from the kernel.
func (l *loop) logMemory() {
	if short := l.slabs.allocErr != nil; short != l.memoryShort {
		if l.memoryShort = short; short {
			l.log.Error("no memory for a read buffer; reading waits", "error", l.slabs.allocErr)
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
	l.stats.InFlight.Store(int64(l.track.InFlight()))
	l.stats.Watermark.Store(l.track.Watermark())
	l.session.save(l)
	l.stats.Panics.Store(l.pool.Panics())
}

// resume is the session that a new connection may resume.
func (l *loop) resume(host string) wire.Resume {
	r := wire.Resume{Client: l.cfg.ClientName, Token: l.cfg.Token.Bytes(), Host: host}
	if l.session.id != "" {
		r.Session = l.session.id
		r.Seq = l.track.Watermark()
	}
	return r
}
