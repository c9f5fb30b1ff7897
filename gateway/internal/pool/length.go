package pool

import (
	"math"
	"math/bits"
	"time"
)

// A batch that takes less than half of its target leaves room for twice as many
// messages: a fast handler gets batches of about batchTime, and of behindTime while
// four batches more lie in the ring: beside what a message waits there that is little,
// and each batch may wake the loop, which costs tens of microseconds.
const (
	batchTime  = 100 * time.Microsecond
	behindTime = 800 * time.Microsecond
	batchMax   = 1 << topLevel
	topLevel   = 10
)

// Of a handler that takes longer, evidence decides: batches are as long as makes the time
// per message fall.
const (
	// growBelow is what the time per message must fall to for a batch twice as long,
	// keepBelow what it may have come back to before the batch is halved.
	growBelow = 0.85
	keepBelow = 0.9
	// growCertainty and keepCertainty are by how many standard errors.
	growCertainty, keepCertainty = 2, 1
	// leastNoise is the least relative variance of the time per message that is believed.
	leastNoise = 0.0025
	// outlier is the square of the standard deviations that make one.
	outlier = 16
	// sampleMemory and noiseMemory are how many batches a mean and the noise go back.
	sampleMemory, noiseMemory = 64, 8
	// Between two trials of another length there are trialFirst batches, twice as many
	// after each one that has shown nothing, up to trialLast.
	trialFirst, trialLast = 8, 128
	// changeFactor is how much longer than the mean of changeLeast batches a message must take
	// for all that is known to be out of date; noise makes it larger.
	changeFactor = 4
	changeLeast  = 8
	// unusedBatches is how many batches in a row must have had half of the length, or less,
	// for it to be halved.
	unusedBatches = 64
)

// length decides how many messages a batch may have: 1<<level, or for a trial twice or
// half as many. It is the worker's own.
//
// Invariant: a level above 0 was reached because batches of half the length took less than
// half of their target, or because they took longer per message.
type length struct {
	single bool // the handler takes messages one by one: no length makes it faster

	level int
	trial int                // what the next batch adds to level: 1, or -1 for half of the length, or 0
	means [topLevel + 1]mean // nanoseconds per message, by level
	noise float64            // relative variance of one batch's time per message

	wait, gap int  // batches until the next trial, and from there to the one after it
	shorter   bool // the next trial is of half the length
	unused    int  // batches in a row that did not need the length
	slow      bool // the last batch took at least half of its target
}

// mean is the mean of n samples, of the last sampleMemory or so.
type mean struct {
	n     float64
	value float64
	odd   int // outliers since the last sample
}

func (m *mean) add(x float64) {
	m.n = min(m.n+1, sampleMemory)
	m.value += (x - m.value) / m.n
}

func (l *length) init() { l.wait, l.gap = trialFirst, trialFirst }

// limit is the length of the next batch.
func (l *length) limit() int { return 1 << (l.level + l.trial) }

// note learns from a batch of n messages, which took so long. In this order: a batch that is fast
// doubles the length; messages that are taken one by one show no more than that; a batch of a power of
// two adds to what is known; and that decides about the next batch.
func (l *length) note(n int, took, target time.Duration) {
	full, trial := n == l.limit(), l.trial
	l.trial = 0
	if l.slow = took >= target/2; !l.slow && (!full || l.means[l.level+trial].n == 0) {
		if full {
			l.level = min(l.level+trial+1, topLevel)
		}
		return
	}
	over := took > target
	if l.single {
		if over {
			l.level = max(0, l.level-1)
		}
		return
	}
	// Only powers of two are compared: another length is what there was by chance, and seldom there
	// again. So a handler for which there are 3 messages each time is known by 1 and by 2.
	at, each := bits.Len(uint(n))-1, float64(took)/float64(n)
	if n == 1<<at && l.learn(at, each) {
		return
	}
	if full && l.means[at].value*float64(n) < float64(target/2) {
		l.level = min(at+1, topLevel) // it is seldom as slow as it was once
		return
	}
	switch {
	case !full:
		l.partial(at, over)
		// The trial is still due, unless it had more messages than usual and they were no faster.
		if trial > 0 && (n <= 1<<l.level || each < l.means[l.level].value) {
			l.trial = 1
		}
	case trial > 0:
		l.tried(each)
	case trial == 0 && over && l.level > 0 && !l.pays():
		l.level--
		l.unused = 0
	case trial == 0:
		l.unused = 0
		l.plan(over)
	}
}

// learn adds a time per message, in nanoseconds. True: the handler has become so much slower
// that nothing is known any more; the next batch is to take about as long as one did before.
func (l *length) learn(at int, each float64) (changed bool) {
	m := &l.means[at]
	if m.n == 0 {
		m.add(each)
		return false
	}
	by := each / m.value
	if m.n >= changeLeast && by > changeFactor*(1+math.Sqrt(l.noise)) {
		l.level = max(0, at-int(math.Log2(by)))
		l.means = [topLevel + 1]mean{}
		l.means[at].add(each)
		l.wait, l.gap, l.unused = trialFirst, trialFirst, 0
		return true
	}
	// An outlier may be the first of many. The mean has an error of its own, of 1/n of the
	// variance.
	variance, square := max(l.noise, leastNoise), (by-1)*(by-1)
	l.noise += (min(square, outlier*variance)*m.n/(m.n+1) - l.noise) / noiseMemory
	if square < outlier*variance {
		m.odd = 0
		m.add(each)
	} else if m.odd++; m.odd == 2 {
		*m = mean{}
		m.add(each)
	}
	return false
}

// partial is for a batch that had fewer messages than it might have had.
func (l *length) partial(at int, over bool) {
	switch {
	case !over:
	case l.level > 0 && l.means[l.level-1].n == 0:
		l.level = min(l.level, at) // nothing shows that the length pays
	case at >= l.level-1:
		l.unused = 0
	default:
		if l.unused++; l.unused == unusedBatches {
			l.means[l.level] = mean{}
			l.level--
			l.unused = 0
		}
	}
}

// pays reports whether batches half as long are slower per message.
func (l *length) pays() bool {
	return l.means[l.level-1].n > 0 && l.gains(l.level-1, keepBelow, keepCertainty)
}

// promises reports whether batches twice as long have looked faster.
func (l *length) promises() bool {
	return l.level < topLevel && l.means[l.level+1].n > 0 && l.gains(l.level, growBelow, 0)
}

// proven reports whether batches twice as long are certainly faster.
func (l *length) proven() bool {
	return l.means[l.level].n > 1 && l.means[l.level+1].n > 1 && l.gains(l.level, growBelow, growCertainty)
}

// gains reports whether the time per message at a level falls to the factor below at the next
// one, by so many standard errors.
func (l *length) gains(level int, below, certainty float64) bool {
	short, long := &l.means[level], &l.means[level+1]
	bound := below * short.value
	variance := max(l.noise, leastNoise) * (bound*bound/short.n + long.value*long.value/long.n)
	gain := bound - long.value
	return gain > 0 && gain*gain >= certainty*certainty*variance
}

// tried is for a trial of twice the length, which took each per message. If that looks faster and
// is not certain yet, the next trial is soon.
func (l *length) tried(each float64) {
	switch {
	case l.proven():
		l.level++
		l.wait, l.gap = trialFirst, trialFirst
		if l.level < topLevel {
			l.trial = 1
		}
	case each <= growBelow*l.means[l.level].value:
		l.wait = 0
	}
}

// plan decides what the batch after a usual one is for.
func (l *length) plan(over bool) {
	if l.promises() {
		l.trial = 1
		return
	}
	if l.wait > 0 {
		l.wait--
		return
	}
	l.wait, l.gap = l.gap, min(2*l.gap, trialLast)
	l.shorter = !l.shorter
	switch {
	case l.level > 0 && over && (l.shorter || l.level == topLevel):
		l.trial = -1
	case l.level < topLevel:
		l.trial = 1
	}
}
