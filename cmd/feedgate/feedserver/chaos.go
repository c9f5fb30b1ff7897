package feedserver

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire/faults"
)

// Chaos injects faults. The faults of a batch are drawn when it is rendered. They depend only on
// Config.Seed and on how many sessions began before, so they repeat if the batches do, which rate and
// window may change.
type Chaos struct {
	Reset              float64       // probability per batch of a TCP reset within it
	SplitMin, SplitMax int           // bytes per write; 0: no limit
	Stall              time.Duration // length of a pause
	StallP             float64       // probability per batch of a pause before it
	HalfOpen           float64       // probability per batch of sending nothing from then on, without closing
}

// ChaosHelp describes the syntax of ParseChaos in the help of feed.
const ChaosHelp = `The SPEC of --chaos is a list, separated by commas, of:

    reset=P        reset the connection (TCP RST) within the batch
    split=A-B      write pieces of A to B bytes, one TCP segment each
    stall=D@P      pause for D before the batch
    half-open=P    send nothing from then on, ignore input, never close

P is the probability of the fault for each batch of messages. With --chaos, a batch has at most 64 messages unless --batch is given.`

// chaosBatch is the default of Config.Batch with Chaos: in short runs, too, there are enough batches for
// their probabilities.
const chaosBatch = 64

// ParseChaos parses a list such as reset=0.01,split=1-7,stall=2s@0.001,half-open=0.001. Its error has
// a line for each fault.
func ParseChaos(spec string) (Chaos, error) {
	var c Chaos
	var faults faults.List
	if spec == "" {
		return c, nil
	}
	seen := make(map[string]bool)
	for item := range strings.SplitSeq(spec, ",") {
		key, value, _ := strings.Cut(item, "=")
		var err error
		switch key {
		case "reset":
			c.Reset, err = parseProbability(value)
		case "half-open":
			c.HalfOpen, err = parseProbability(value)
		case "split":
			c.SplitMin, c.SplitMax, err = parseSplit(value)
		case "stall":
			c.Stall, c.StallP, err = parseStall(value)
		default:
			err = errors.New("unknown; use reset=P, split=A-B, stall=D@P or half-open=P")
		}
		if err == nil && seen[key] {
			err = errors.New("given twice")
		}
		seen[key] = true
		faults.Check(err == nil, "--chaos: %s: %w", item, err)
	}
	return c, faults.Err()
}

func parseProbability(text string) (float64, error) {
	p, err := strconv.ParseFloat(text, 64)
	if err != nil || !(p >= 0 && p <= 1) {
		return 0, errors.New("not a probability from 0 to 1")
	}
	return p, nil
}

func parseSplit(text string) (from, to int, err error) {
	a, b, _ := strings.Cut(text, "-")
	from, errA := strconv.Atoi(a)
	to, errB := strconv.Atoi(b)
	if errA != nil || errB != nil || from < 1 || to < from {
		return 0, 0, errors.New("not A-B with 1 <= A <= B")
	}
	return from, to, nil
}

func parseStall(text string) (time.Duration, float64, error) {
	length, chance, _ := strings.Cut(text, "@")
	d, err := time.ParseDuration(length)
	if err != nil || d <= 0 {
		return 0, 0, errors.New("not D@P with a duration D, as in 2s@0.001")
	}
	p, err := parseProbability(chance)
	return d, p, err
}

// any reports whether any fault is set.
func (c *Chaos) any() bool { return *c != Chaos{} }

// batchFaults are the faults of one batch.
type batchFaults struct {
	stall    bool
	reset    bool
	resetAt  float64 // place of the reset, from 0, the batch's begin, to 1, its end
	halfOpen bool
}

// draw draws the faults of a batch. It always takes four random numbers, so that one kind of fault
// does not affect another kind.
func (c *Chaos) draw(rng *rand.Rand) batchFaults {
	stall, reset, resetAt, halfOpen := rng.Float64(), rng.Float64(), rng.Float64(), rng.Float64()
	return batchFaults{stall: stall < c.StallP, reset: reset < c.Reset, resetAt: resetAt, halfOpen: halfOpen < c.HalfOpen}
}

// piece returns the length of the next write when n bytes are left.
func (c *Chaos) piece(n int, rng *rand.Rand) int {
	if c.SplitMax == 0 {
		return n
	}
	return min(n, c.SplitMin+rng.IntN(c.SplitMax-c.SplitMin+1))
}
