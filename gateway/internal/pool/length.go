package pool

import (
	"math"
	"math/bits"
	"time"
)

// If a batch takes less than half of its target, the next one may have twice as many messages. So a
// fast handler gets batches that take about batchTime; or behindTime while four more batches wait
// in the ring, because that is small against the queueing delay, and each batch may wake the loop,
// which costs tens of microseconds.
const (
	batchTime  = 100 * time.Microsecond
	behindTime = 800 * time.Microsecond
	batchMax   = 1 << topLevel
	topLevel   = 10
)

// If a handler takes longer, measurements decide: batches grow as long as the time per message
// falls.
const (
	// For a batch twice as long, the time per message must fall below growBelow times the old
	// one. If it rises above keepBelow times, the batch is halved again.
	growBelow = 0.85
	keepBelow = 0.9
	// growCertainty and keepCertainty are the standard errors by which it must do so.
	growCertainty, keepCertainty = 2, 1
	// leastNoise is the least relative variance of the time per message that is assumed.
	leastNoise = 0.0025
	// outlier is the square of the number of standard deviations that make a time an outlier.
	outlier = 16
	// sampleMemory and noiseMemory are how many batches a mean, and the noise, are averages of.
	sampleMemory, noiseMemory = 64, 8
	// Between two trials of another length are trialFirst batches; after each trial without a
	// result twice as many, up to trialLast.
	trialFirst, trialLast = 8, 128
	// If a message takes changeFactor times the mean of at least changeLeast batches, all
	// measurements are obsolete. Noise raises the factor.
	changeFactor = 4
	changeLeast  = 8
	// The length is halved after unusedBatches in a row with half of it or less.
	unusedBatches = 64
)

// length decides how many messages a batch may have: 1<<level, or for a trial twice or half as
// many. The worker owns it.
//
// Invariant: a level above 0 was reached because batches of half the length took less than half of
// their target, or longer per message.
type length struct {
	single bool // the handler takes messages one by one: longer batches make it no faster

	level int
	trial int                // what the next batch adds to level: 1, or -1 for half of the length, or 0
	means [topLevel + 1]mean // nanoseconds per message, by level
	noise float64            // relative variance of one batch's time per message

	wait, gap int  // batches until the next trial, and between that and the one after
	shorter   bool // the next trial is of half the length
	unused    int  // batches in a row that did not need the length
	slow      bool // the last batch took at least half of its target
}

// mean is the mean of n samples, of about the last sampleMemory.
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

// limit returns the length of the next batch, in messages.
func (l *length) limit() int { return 1 << (l.level + l.trial) }

// note evaluates a batch of n messages. A fast batch doubles the length. A handler that takes
// messages one by one shows nothing else. Otherwise, a batch with a power of two of messages adds
// to the means, and these decide about the next batch.
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
	// Only powers of two are compared: other lengths occur by chance, and rarely again. So a
	// handler that always finds 3 messages is known by its batches of 1 and of 2.
	at, each := bits.Len(uint(n))-1, float64(took)/float64(n)
	if n == 1<<at && l.learn(at, each) {
		return
	}
	if full && l.means[at].value*float64(n) < float64(target/2) {
		l.level = min(at+1, topLevel) // on average it is faster than this time
		return
	}
	switch {
	case !full:
		l.partial(at, over)
		// The trial is still due, unless this batch was longer than usual and no faster.
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

// learn adds a time per message, in nanoseconds. It returns true if the handler has become so much
// slower that all measurements are obsolete; then the next batch is to take about as long as one
// did before.
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
	// An outlier may be the first of many, so it counts towards the noise. The mean itself has
	// an error of 1/n of the variance.
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

// partial evaluates a batch with fewer messages than it might have had.
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

// promises reports whether batches twice as long were faster per message, certain or not.
func (l *length) promises() bool {
	return l.level < topLevel && l.means[l.level+1].n > 0 && l.gains(l.level, growBelow, 0)
}

// proven reports whether batches twice as long are certainly faster per message.
func (l *length) proven() bool {
	return l.means[l.level].n > 1 && l.means[l.level+1].n > 1 && l.gains(l.level, growBelow, growCertainty)
}

// gains reports whether the time per message at the next level is less than below times that at
// level, by certainty standard errors.
func (l *length) gains(level int, below, certainty float64) bool {
	short, long := &l.means[level], &l.means[level+1]
	bound := below * short.value
	variance := max(l.noise, leastNoise) * (bound*bound/short.n + long.value*long.value/long.n)
	gain := bound - long.value
	return gain > 0 && gain*gain >= certainty*certainty*variance
}

// tried evaluates a trial of twice the length, which took each nanoseconds per message. If that
// seems faster but is not certain yet, the next trial is soon.
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

// plan decides, after a batch of the usual length, whether the next one is a trial.
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
