package feedserver

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire/faults"
)

// Chaos is misbehaviour on purpose. What happens to a batch is decided when it is
// rendered, by dice that depend on Config.Seed and the session's place in the
// order of arrival only, so that a run repeats as far as timing allows: batches
// are the same ones as long as neither rate nor window cuts them.
type Chaos struct {
	Reset              float64 // probability per batch of a TCP reset somewhere in it
	SplitMin, SplitMax int     // bytes per write; 0: not split
	Stall              time.Duration
	StallP             float64 // probability per batch of a pause of Stall before it
	HalfOpen           float64 // probability per batch of going silent instead, for good
}

// ChaosHelp describes the syntax of ParseChaos in the help of feed.
const ChaosHelp = `The SPEC of --chaos is a list, separated by commas, of:

    reset=P        reset the connection (TCP RST) within the batch
    split=A-B      write pieces of A to B bytes, one TCP segment each
    stall=D@P      pause for D before the batch
    half-open=P    send nothing from then on, ignore input, never close

P is the probability of the fault for each batch of messages. With --chaos, a batch has at most 64 messages unless --batch is given.`

// chaosBatch is the most messages of a batch when there is chaos, so that
// probabilities per batch take effect on short runs too.
const chaosBatch = 64

// ParseChaos reads a list like reset=0.01,split=1-7,stall=2s@0.001,half-open=0.001.
// Its error names every fault.
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
			err = errors.New("unknown; there are reset=P, split=A-B, stall=D@P, half-open=P")
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
		return 0, 0, errors.New("not D@P with a duration D, such as 2s@0.001")
	}
	p, err := parseProbability(chance)
	return d, p, err
}

// any says whether there is chaos at all.
func (c *Chaos) any() bool { return *c != Chaos{} }

// mishap is what happens to one batch.
type mishap struct {
	stall    bool
	reset    bool
	at       float64 // of the reset, as a part of the batch
	halfOpen bool
}

// roll decides about a batch. It throws the dice as often whatever comes of it,
// so that one kind of chaos does not shift another's.
func (c *Chaos) roll(dice *rand.Rand) mishap {
	stall, reset, at, halfOpen := dice.Float64(), dice.Float64(), dice.Float64(), dice.Float64()
	return mishap{stall: stall < c.StallP, reset: reset < c.Reset, at: at, halfOpen: halfOpen < c.HalfOpen}
}

// piece is the length of the next write out of n bytes.
func (c *Chaos) piece(n int, dice *rand.Rand) int {
	if c.SplitMax == 0 {
		return n
	}
	return min(n, c.SplitMin+dice.IntN(c.SplitMax-c.SplitMin+1))
}
