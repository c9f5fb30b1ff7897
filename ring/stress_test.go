package ring_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/ring"
)

// deadline limits every wait in these tests; reaching it means that something was lost.
const deadline = 20 * time.Second

// stopwatch yields the processor, and panics with all stacks after the deadline.
type stopwatch struct {
	end   time.Time
	spins int
}

func newStopwatch() *stopwatch { return &stopwatch{end: time.Now().Add(deadline)} }

func (w *stopwatch) pause(what string) {
	if w.spins++; w.spins%1024 == 0 && time.Now().After(w.end) {
		panic("nothing happened until the deadline: " + what)
	}
	runtime.Gosched()
}

// nearWrap is an initial index that passes 2^64 within the first thousands of entries.
const nearWrap = 1<<64 - 4096

// entry carries a checksum, so that a torn or stale entry is detected.
type entry struct {
	seq, check uint64
	pad        [2]uint32
}

func newEntry(seq uint64) entry {
	mixed := (seq + 1) * 0x9e3779b97f4a7c15
	return entry{seq, mixed, [2]uint32{uint32(seq), uint32(mixed)}}
}

func TestSPSCStressExactlyOnce(t *testing.T) {
	for _, c := range []struct{ capacity, items, batch int }{
		{1, 100_000, 1}, {2, 200_000, 3}, {64, 1_000_000, 64}, {4096, 2_000_000, 300},
	} {
		t.Run(fmt.Sprint("cap=", c.capacity), func(t *testing.T) {
			t.Parallel()
			r := ring.NewSPSC[entry](c.capacity)
			r.SetIndex(nearWrap)
			go produceEntries(r, c.items, c.batch)
			consumeEntries(t, r, c.items, c.batch)
			if r.Len() != 0 || !r.Empty() {
				t.Errorf("%d entries too many", r.Len())
			}
		})
	}
}

// produceEntries mixes single pushes, batches, and several commits per publish.
func produceEntries(r *ring.SPSC[entry], items, batch int) {
	rnd, wait := rand.New(rand.NewPCG(1, uint64(items))), newStopwatch()
	for seq := 0; seq < items; {
		if rnd.IntN(8) == 0 {
			if r.Push(newEntry(uint64(seq))) {
				seq++
			} else {
				wait.pause("push")
			}
			continue
		}
		s := r.Reserve(min(1+rnd.IntN(batch), items-seq))
		for i := range s {
			s[i] = newEntry(uint64(seq + i))
		}
		seq += len(s)
		r.Commit(len(s))
		if len(s) == 0 || rnd.IntN(2) == 0 {
			r.Publish()
		}
		if len(s) == 0 {
			wait.pause("reserve")
		}
	}
	r.Publish()
}

func consumeEntries(t *testing.T, r *ring.SPSC[entry], items, batch int) {
	rnd, wait := rand.New(rand.NewPCG(2, uint64(items))), newStopwatch()
	check := func(got entry, seq int) {
		if got != newEntry(uint64(seq)) {
			t.Fatalf("entry %d is %+v", seq, got)
		}
	}
	for seq := 0; seq < items; {
		if n := r.Len(); n < 0 || n > r.Cap() {
			t.Fatalf("Len() = %d, capacity %d", n, r.Cap())
		}
		if rnd.IntN(8) == 0 {
			if e, ok := r.Pop(); ok {
				check(e, seq)
				seq++
			} else {
				wait.pause("pop")
			}
			continue
		}
		s := r.Peek()
		n := min(len(s), 1+rnd.IntN(batch))
		for i := range s[:n] {
			check(s[i], seq+i)
		}
		seq += n
		r.Take(n)
		if n == 0 || rnd.IntN(2) == 0 {
			r.Release()
		}
		if n == 0 {
			wait.pause("peek")
		}
	}
	r.Release()
}

// Len is for any goroutine, and within bounds while both sides move.
func TestLenStaysWithinTheCapacity(t *testing.T) {
	s, b := ring.NewSPSC[int](4), ring.NewBytes(64)
	s.SetIndex(nearWrap)
	b.SetIndex(nearWrap)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if n := s.Len(); n < 0 || n > s.Cap() {
				t.Errorf("SPSC: Len() = %d", n)
			}
			if n := b.Len(); n < 0 || n > b.Cap() {
				t.Errorf("Bytes: Len() = %d", n)
			}
			runtime.Gosched()
		}
	}()
	for i := range 200_000 {
		s.Push(i)
		s.Pop()
		put(b, []byte("record"))
		b.Publish()
		b.Next()
		b.Release()
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	<-done
}

func TestBytesStressExactlyOnce(t *testing.T) {
	for _, c := range []struct{ capacity, items int }{{64, 100_000}, {1024, 300_000}, {64 << 10, 300_000}} {
		t.Run(fmt.Sprint("cap=", c.capacity), func(t *testing.T) {
			t.Parallel()
			r := ring.NewBytes(c.capacity)
			r.SetIndex(nearWrap)
			go produceRecords(r, c.items)
			consumeRecords(t, r, c.items)
			if r.Next() != nil {
				t.Error("a record too many")
			}
		})
	}
}

// produceRecords writes records of seq, checksum and up to 200 random bytes, and
// commits less than it has reserved now and then.
func produceRecords(r *ring.Bytes, items int) {
	rnd, wait := rand.New(rand.NewPCG(3, uint64(items))), newStopwatch()
	body := make([]byte, 200)
	for i := range body {
		body[i] = byte(rnd.Uint32())
	}
	for seq := 0; seq < items; {
		n := rnd.IntN(min(len(body), r.MaxRecord()-8) + 1)
		p := r.Reserve(min(8+n+rnd.IntN(8), r.MaxRecord()))
		if p == nil {
			r.Publish()
			wait.pause("reserve")
			continue
		}
		binary.LittleEndian.PutUint32(p, uint32(seq))
		copy(p[8:8+n], body[rnd.IntN(len(body)-n+1):])
		binary.LittleEndian.PutUint32(p[4:], crc32.ChecksumIEEE(p[8:8+n]))
		r.Commit(8 + n)
		seq++
		if rnd.IntN(4) == 0 {
			r.Publish()
		}
	}
	r.Publish()
}

// consumeRecords checks records when it takes them, and the last few once more
// just before it releases them.
func consumeRecords(t *testing.T, r *ring.Bytes, items int) {
	rnd, wait := rand.New(rand.NewPCG(4, uint64(items))), newStopwatch()
	check := func(p []byte, seq int) {
		if len(p) < 8 || binary.LittleEndian.Uint32(p) != uint32(seq) ||
			binary.LittleEndian.Uint32(p[4:]) != crc32.ChecksumIEEE(p[8:]) {
			t.Fatalf("record %d is %x", seq, p)
		}
	}
	var held [][]byte
	release := func(seq int) {
		for i, p := range held {
			check(p, seq-len(held)+i)
		}
		held = held[:0]
		r.Release()
	}
	for seq := 0; seq < items; {
		p := r.Next()
		if p == nil {
			release(seq)
			wait.pause("next")
			continue
		}
		check(p, seq)
		seq++
		if held = append(held, p); rnd.IntN(4) == 0 {
			release(seq)
		}
	}
}
