package wiretest

import (
	"hash/fnv"
	"math/rand/v2"

	"feedgate/gateway/wire"
)

// Plan is how a stream reaches a Conn: in which pieces, buffers and batches.
type Plan struct {
	// Buffer is the size of a buffer, in bytes. A buffer is larger only if the Conn waits for
	// more contiguous bytes.
	Buffer int

	// Limit is the most contiguous bytes that the Conn may wait for; 0: no limit.
	Limit int

	// Msgs is the most messages that one Decode may return; 0: 1.
	Msgs int

	// Steps are the sizes of the reads, repeated: each is at most this many bytes; if negative,
	// after a move to another buffer. Empty, or 0: all remaining bytes.
	Steps []int

	at int // in Steps
}

// Whole returns the plan of one read of n bytes.
func Whole(n int) Plan { return Plan{Buffer: n, Msgs: n + 1} }

// ByteByByte returns the plan of one read per byte, each into another buffer.
func ByteByByte() Plan { return Plan{Msgs: 1, Steps: []int{-1}} }

// FromBytes makes a plan from arbitrary bytes, such as a fuzzer's. Buffers are small, so that the
// stream is moved often.
func FromBytes(b []byte) Plan {
	p := Plan{Buffer: 64, Msgs: 4}
	if len(b) > 0 {
		p.Buffer, b = 1+int(b[0]), b[1:]
	}
	if len(b) > 0 {
		p.Msgs, b = 1+int(b[0])%16, b[1:]
	}
	for _, c := range b {
		step := 1 + int(c)&0x3f
		if c&0x40 != 0 {
			step *= 8
		}
		if c&0x80 != 0 {
			step = -step
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

// WithLimit returns the plan with a Limit.
func (p Plan) WithLimit(n int) Plan {
	p.Limit = n
	return p
}

// next returns the size of the next read, of at most n bytes.
func (p *Plan) next(n int) (piece int, move bool) {
	if len(p.Steps) == 0 {
		return n, false
	}
	step := p.Steps[p.at%len(p.Steps)]
	p.at++
	if step == 0 {
		return n, false
	}
	return min(n, max(step, -step)), step < 0
}

// Plans returns plans for a stream of n bytes that suit every protocol: all at once, in pieces,
// and, if it is short, byte by byte. rng is for further ones; name seeds it.
func Plans(name string, n int) (plans map[string]Plan, rng *rand.Rand) {
	plans = map[string]Plan{
		"whole": Whole(n),
		"997":   {Buffer: 4096, Msgs: 3, Steps: []int{997}},
	}
	if Short(n) {
		plans["1 byte"] = Plan{Buffer: n, Msgs: 2, Steps: []int{1}}
		plans["1 byte, moved"] = ByteByByte()
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return plans, rand.New(rand.NewPCG(h.Sum64(), 1))
}

// Short reports whether a stream of n bytes is short enough for many small reads.
func Short(n int) bool { return n <= 4<<10 }

// Random returns a random plan.
func Random(rng *rand.Rand) Plan {
	b := make([]byte, 8)
	for k := range b {
		b[k] = byte(rng.Uint32())
	}
	return FromBytes(b)
}

// Check runs a stream by every plan. run returns the difference from the expected outcome, and
// the error, whose text must not depend on the plan.
func Check(t T, plans map[string]Plan, run func(Plan) (diff string, err *wire.Error)) {
	t.Helper()
	text := ""
	for name, plan := range plans {
		diff, err := run(plan)
		if diff != "" {
			t.Fatalf("%s: %s (error: %v)", name, diff, err)
		}
		if err == nil {
			continue
		}
		if text == "" {
			text = err.Error()
		}
		if err.Error() != text {
			t.Fatalf("%s: error %q, otherwise it is %q", name, err, text)
		}
	}
}
