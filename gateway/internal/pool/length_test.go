package pool

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// cost returns how long a handler takes for n messages.
type cost func(n int) time.Duration

func perCall(d time.Duration) cost { return func(int) time.Duration { return d } }
func perMessage(d time.Duration) cost {
	return func(n int) time.Duration { return time.Duration(n) * d }
}

func plus(a, b cost) cost { return func(n int) time.Duration { return a(n) + b(n) } }

// times multiplies a cost by a random factor with mean 1 and standard deviation noise. Few handlers
// are as noisy as with 1.
func times(rnd *rand.Rand, noise float64, c cost) cost {
	return func(n int) time.Duration {
		return time.Duration(float64(c(n)) * (1 - noise + noise*rnd.ExpFloat64()))
	}
}

// sum returns the sum of random times, one per message.
func sum(one func() time.Duration) cost {
	return func(n int) (all time.Duration) {
		for range n {
			all += one()
		}
		return all
	}
}

// drive simulates calls batches, each of as many messages as are allowed, at most there. It returns
// their lengths.
func drive(l *length, calls, there int, c cost) (lengths []int) {
	for range calls {
		n := min(l.limit(), there)
		lengths = append(lengths, n)
		l.note(n, c(n), behindTime)
	}
	return lengths
}

func meanLength(lengths []int) float64 {
	all := 0
	for _, n := range lengths {
		all += n
	}
	return float64(all) / float64(len(lengths))
}

// TestLengthFollowsTheCost: within some tens of calls, batches grow as long as that makes messages
// cheaper, and no further; slow messages are handled one by one.
func TestLengthFollowsTheCost(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	rnd := rand.New(rand.NewPCG(1, 2))
	exponential := func() time.Duration { return time.Duration(rnd.ExpFloat64() * float64(5*ms)) }
	for name, c := range map[string]struct {
		cost        cost
		calls       int     // until the length must be right
		least, most float64 // mean length from then on
	}{
		"1ms a call":                {perCall(ms), 50, 950, 1024},
		"500us a call":              {perCall(500 * us), 50, 950, 1024},
		"200ms a call":              {perCall(200 * ms), 50, 950, 1024},
		"1ms a call, noisy":         {times(rnd, 0.3, perCall(ms)), 100, 900, 1024},
		"1ms a call, very noisy":    {times(rnd, 1, perCall(ms)), 3000, 200, 1024},
		"5ms a message":             {perMessage(5 * ms), 1, 1, 1.02},
		"1ms a message":             {perMessage(ms), 1, 1, 1.02},
		"100us a message":           {perMessage(100 * us), 10, 3.5, 4.2},
		"10us a message":            {perMessage(10 * us), 20, 32, 66},
		"100ns a message":           {perMessage(100), 11, 1024, 1024},
		"5ms a message, very noisy": {times(rnd, 1, perMessage(5*ms)), 1, 1, 1.3},
		"5ms a message on average":  {sum(exponential), 1, 1, 1.4},
		"one in 10 takes 50ms": {sum(func() time.Duration {
			if rnd.IntN(10) == 0 {
				return 50 * ms
			}
			return ms
		}), 1, 1, 1.7},
		"1ms a call and 5us a message":   {plus(perCall(ms), perMessage(5*us)), 60, 450, 600},
		"1ms a call and 500us a message": {plus(perCall(ms), perMessage(500*us)), 40, 3, 9},
		"1ms a call and 1ms a message":   {plus(perCall(ms), perMessage(ms)), 40, 1.9, 4.1},
	} {
		t.Run(name, func(t *testing.T) {
			*rnd = *rand.New(rand.NewPCG(1, 2))
			var l length
			l.init()
			drive(&l, c.calls, batchMax, c.cost)
			if got := meanLength(drive(&l, 2000, batchMax, c.cost)); got < c.least || got > c.most {
				t.Errorf("batches of %.2f, want %v to %v", got, c.least, c.most)
			}
		})
	}
}

// TestLengthFollowsAChange: some calls after a change of the cost, batches are as long as if it had
// always been like this.
func TestLengthFollowsAChange(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	costs := []struct {
		name        string
		cost        cost
		least, most float64
	}{
		{"1ms a call", perCall(ms), 850, 1024},
		{"20ms a call", perCall(20 * ms), 900, 1024},
		{"5ms a message", perMessage(5 * ms), 1, 1.1},
		{"400us a message", perMessage(400 * us), 1, 2.1},
		{"1us a message", perMessage(us), 256, 1024},
		{"1ms a call and 5us a message", plus(perCall(ms), perMessage(5*us)), 400, 1024},
	}
	for _, from := range costs {
		for _, to := range costs {
			t.Run(from.name+", then "+to.name, func(t *testing.T) {
				var l length
				l.init()
				drive(&l, 500, batchMax, from.cost)
				change := drive(&l, 200, batchMax, to.cost)
				if got := meanLength(drive(&l, 500, batchMax, to.cost)); got < to.least || got > to.most {
					t.Errorf("batches of %.2f, want %v to %v", got, to.least, to.most)
				}
				// Only the first batch takes much longer than those before.
				if second := to.cost(change[1]); second > 4*max(from.cost(change[0]), to.cost(1)) {
					t.Errorf("a batch of %d takes %v; one took %v", change[1], second, from.cost(change[0]))
				}
			})
		}
	}
}

// TestLengthWithFewMessages: a batch of all messages that there were is no evidence for longer
// ones; these are tried when there are more messages.
func TestLengthWithFewMessages(t *testing.T) {
	const ms = time.Millisecond
	for _, there := range []int{1, 2, 3, 10, 100} {
		var l length
		l.init()
		if got := drive(&l, 5000, there, perCall(ms)); l.level > int(math.Log2(float64(there)))+1 {
			t.Errorf("level %d with %d messages there", l.level, there)
		} else if len(got) > 100 && meanLength(got[100:]) < 0.9*float64(there) {
			t.Errorf("batches of %.1f with %d messages there", meanLength(got[100:]), there)
		}
		if drive(&l, 60, batchMax, perCall(ms)); l.level != topLevel {
			t.Errorf("level %d after 60 full batches, of %d before", l.level, there)
		}
		// The length falls when it is not needed any more.
		if drive(&l, 2000, there, perCall(ms)); l.level > int(math.Log2(float64(there)))+1 {
			t.Errorf("level %d with %d messages there, after a time with more", l.level, there)
		}
	}
}

// TestLengthFollowsAChangeWithFewMessages: also if no batch is full, messages that have become slow
// are soon handled one by one, whether batches were long because they were fast or because that
// paid.
func TestLengthFollowsAChangeWithFewMessages(t *testing.T) {
	for name, from := range map[string]cost{
		"1ms a call": perCall(time.Millisecond), "20ms a call": perCall(20 * time.Millisecond),
		"1us a message": perMessage(time.Microsecond),
	} {
		for _, there := range []int{5, 40, 100} {
			var l length
			l.init()
			drive(&l, 500, there, from)
			slow := perMessage(5 * time.Millisecond)
			drive(&l, 200, there, slow)
			if got := meanLength(drive(&l, 500, there, slow)); got > 2 {
				t.Errorf("%d messages there, %s before: batches of %.2f", there, name, got)
			}
		}
	}
}

// TestTrialsAreNoLongerThanTwice: no batch has more than twice as many messages as the longest one
// before it.
func TestTrialsAreNoLongerThanTwice(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var l length
		l.init()
		longest := 1
		for range 3000 {
			there := 1 + rnd.IntN(1<<rnd.IntN(12))
			for _, n := range drive(&l, 1, there, times(rnd, 0.5, perCall(5*time.Millisecond))) {
				if n > 2*longest {
					t.Fatalf("a batch of %d; none before had more than %d", n, longest)
				}
				longest = max(longest, n)
			}
		}
	}
}

// TestOneByOneNeverTries: with a handler of single messages, only the time of a batch decides.
func TestOneByOneNeverTries(t *testing.T) {
	var l length
	l.init()
	l.single = true
	for i, n := range drive(&l, 3000, batchMax, perCall(time.Millisecond)) {
		if n != 1 {
			t.Fatalf("batch %d has %d messages", i, n)
		}
	}
	if drive(&l, 20, batchMax, perMessage(10*time.Microsecond)); l.limit() < 32 || l.limit() > 64 {
		t.Errorf("batches of %d messages of 10us", l.limit())
	}
}
