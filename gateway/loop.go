package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/ring"
	"feedgate/worker"
)

const (
	// maxUnsent is how many unsent bytes stop the loop from collecting replies and from reading:
	// backpressure from a peer that does not read.
	maxUnsent = 256 << 10
	// bulkRead is the size of a bulk read, in bytes.
	bulkRead = 64 << 10
)

// loop moves messages from the socket to the workers and acks back. One goroutine owns it and calls
// turn while there is work. Only events is shared.
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
	out      *delivery.SendBuffer // of track
	receiver receiver
	conn     conn
	session  session

	outstanding     []int // messages with each worker
	acksOK          int   // acks with code 0 of this turn, not counted yet
	stop            stopping
	lastTurn        time.Duration
	paused          bool // the last turn could not read or dispatch
	reportedBlocked bool // what reportBlocked last reported
	refused         refusals
	skipped         skipped
	gaps            gaps
	stall           stall
	status          status
	memoryShort     bool // logMemory has logged that the kernel is out of memory

	sends   [maxBatch][]byte
	scratch [16 << 10]byte // for bytes that are discarded

	events ring.EventCount // shared: workers add to it
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
	l.refused = refusals{unacked: l.track.TakeSuppressed, why: set.codec.NoRefusalAck, codes: make(map[worker.Code]int)}
	l.skipped = skipped{l: l}
	l.refused.changed = l.conn.log.tally("refused", l.refused.take)
	l.skipped.changed = l.conn.log.tally("skipped", l.skipped.take)
	l.gaps.changed = l.conn.log.tally("gaps", l.gaps.take)
	return l
}

// setWorkers sets the workers.
func (l *loop) setWorkers(workers []*pool.Worker) {
	l.workers, l.outstanding = workers, make([]int, len(workers))
	if l.set.selector != nil {
		l.receiver.byKey = newPartitioner(&l.set, len(workers))
	}
}

func (l *loop) ringDepths(yield func(worker int, ring string, depth int)) {
	for i, w := range l.workers {
		yield(i, "in", w.In().Len())
		yield(i, "out", w.Out().Len()/pool.ReplyBytes)
	}
}

// turn runs each step once. It returns false if none had anything to do.
func (l *loop) turn() bool {
	now := l.env.now()
	if l.conn.idlePaused() {
		l.conn.idleSince += now - l.lastTurn
	}
	l.lastTurn = now
	l.stall.watch(l, now)
	l.status.countTime(l, now)

	busy := l.collectReplies(now)
	busy = l.receive(now) || busy
	busy = l.collectReplies(now) || busy // acks of what workers finished meanwhile join this flush
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
	l.status.endTurn(l)
	busy = l.slabs.reclaim(l.pool, !busy) || busy
	return busy || l.out.Len() > 0 && l.conn.peer.writable
}

// reportBlocked shows the workers whether no message will arrive until some are resolved: then they
// flush a handler that waits for a fuller batch.
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

// sleep prepares for blocking: turn is next called when a worker has replied, on an edge, or at nextDue.
// It returns false if there is work to do first.
func (l *loop) sleep() bool {
	// If the peer does not read, replies stay in their rings: an edge wakes the loop, not the eventcount.
	return l.out.Len() >= maxUnsent || l.events.Sleep()
}

// countExternal counts the memory outside slabs that --memory bounds.
func (l *loop) countExternal() {
	side := int64(cap(l.receiver.input.Side))
	if !l.set.codec.RenderAcks {
		l.slabs.setExternal(side, 0)
		return
	}
	waiting, kept := l.track.WaitingAcks()
	long := l.pool.AckBytes()
	l.slabs.setExternal(side+kept+long, waiting+long)
}

// free returns how many more messages may be given to workers. The result is exact only if it is
// less than want: only then is it worth a system call that finds out which acks are transmitted.
func (l *loop) free(want int, now time.Duration) int {
	if l.track.Free() < want && l.out.InKernel() > 0 && l.out.Transmitted(l.conn.sock.untransmitted()) {
		l.conn.lastAccepted = now
	}
	return l.track.Free()
}

// flush sends unsent bytes until the kernel accepts no more.
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

// observeLatency records the time from each read to the last ack of its messages.
func (l *loop) observeLatency(now time.Duration) {
	for when, ok := l.track.NextAcked(); ok; when, ok = l.track.NextAcked() {
		l.stats.Latency.Observe(now-when, 1)
	}
}

// logMemory logs, once per shortage, that reading is paused because the kernel is out of memory.
func (l *loop) logMemory() {
	if short := l.slabs.allocErr != nil; short != l.memoryShort {
		if l.memoryShort = short; short {
			l.log.Error("no memory for a read buffer; reading is paused", "error", l.slabs.allocErr)
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
	l.stats.InFlight.Store(int64(l.status.inFlight(l)))
	oldest, _ := l.track.Oldest()
	l.stats.oldest.Store(int64(oldest))
	l.stats.unread.Store(int64(l.status.oldestUnread(l.lastTurn)))
	l.stats.unsent.Store(int64(l.out.Len() + l.status.inKernel))
	l.stats.memory.Store(l.slabs.used + l.slabs.external)
	l.stats.Watermark.Store(l.track.Watermark())
	l.session.save(l)
	l.stats.Panics.Store(l.pool.Panics())
}

// resume returns the session for the login on a new connection.
func (l *loop) resume(host string) wire.Hello {
	r := wire.Hello{Client: l.cfg.ClientName, Token: l.cfg.Token.Bytes(), Host: host}
	if l.session.id != "" {
		r.Session = l.session.id
		r.Seq = l.track.Watermark()
	}
	return r
}
