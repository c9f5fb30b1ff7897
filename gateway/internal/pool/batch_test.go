package pool

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/worker"
)

// TestBatchesSpanRuns: a handler whose call takes 1 ms gets long batches of messages, each a run of
// its own.
func TestBatchesSpanRuns(t *testing.T) {
	for _, span := range []time.Duration{0, 5 * time.Second} {
		calls := 0
		p := newPaced(t, span, func(p *paced) worker.Sink {
			return batchSink(func(b worker.Batch) {
				calls++
				p.clock += time.Millisecond
				b.Resolve(b.Len(), worker.OK)
			})
		})
		for range 60 {
			p.fill()
			p.turn()
		}
		calls = 0
		before := p.next - uint32(p.held)
		for range 100 {
			p.fill()
			p.turn()
		}
		if done := p.next - uint32(p.held) - before; calls != 100 || done < 95_000 {
			t.Errorf("span %v: %d messages in %d calls", span, done, calls)
		}
	}
}

// give gives the worker a run of n messages of one byte each, from offset off of the slab.
func (p *paced) give(slot uint32, off, n int) {
	spans := p.w.In().Reserve(n)
	for i := range n {
		spans[i] = Span(uint32(off+i), 1)
	}
	p.w.In().Commit(Desc{Seq: uint64(slot), Slot: slot}, n)
	p.w.In().Publish()
}

// replies runs the worker until idle, and adds its replies to to, by slot.
func (p *paced) replies(to map[uint32]worker.Code) {
	for p.pool.Turn(0) {
	}
	n := 0
	for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
		r := p.w.Reply(b)
		for slot := range slotsOf(r) {
			to[slot] = r.Code
		}
		n++
	}
	p.w.Out().Release()
	p.events.Sub(n)
}

// TestBatchesAreCutByRuns: a batch of several runs is resolved and deferred in any pieces, with
// consecutive IDs; the messages that a panic leaves over are refused.
func TestBatchesAreCutByRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 12).Draw(rt, "runs")
		var slots []uint32 // by message: other workers have those between two runs
		want, ids := map[uint32]worker.Code{}, map[worker.ID]uint32{}
		at, batches := 0, 0
		var c worker.Completer
		handle := func(b worker.Batch) {
			for batches++; b.Len() > 0; {
				n := rapid.IntRange(1, b.Len()).Draw(rt, "n")
				for i := range b.Len() {
					if m := b.At(i); m.Seq != uint64(slots[at+i]) || m.Data[0] != byte(at+i) || b.Size(i) != 1 {
						rt.Fatalf("message %d is %d, %v", at+i, m.Seq, m.Data)
					}
				}
				code, end := worker.Code(rapid.IntRange(1000, 1002).Draw(rt, "code")), at+n
				switch rapid.IntRange(0, 5).Draw(rt, "what") {
				case 0:
					for _, slot := range slots[at:] {
						want[slot] = worker.Refused
					}
					panic("no")
				case 1, 2:
					for i, first := 0, b.Defer(n); i < n; i++ {
						ids[first+worker.ID(i)] = slots[at+i]
					}
				default:
					b.Resolve(n, code)
				}
				for ; at < end; at++ {
					want[slots[at]] = code
				}
			}
		}
		p := newPaced(t, 0, func(*paced) worker.Sink {
			return gatherSink{open: func(done worker.Completer) worker.Handler { c = done; return batchHandler{handle} }}
		})
		p.w.length.level, p.w.costly = topLevel, true
		p.w.slabs.At(0).Data = make([]byte, 64)
		for i, n := range sizes {
			off := len(slots)
			for k := range n {
				slots = append(slots, uint32(10*i+k))
				p.w.slabs.At(0).Data[off+k] = byte(off + k)
			}
			p.give(uint32(10*i), off, n)
		}
		got := map[uint32]worker.Code{}
		p.replies(got)
		for k := range worker.ID(len(ids)) {
			slot, ok := ids[k]
			if !ok {
				rt.Fatalf("no ID %d of %d", k, len(ids))
			}
			c.Resolve(k, 1, want[slot])
		}
		c.Flush()
		p.replies(got)
		if batches != 1 || len(got) != len(slots) || !maps.Equal(got, want) {
			rt.Fatalf("%d batches; replies %v, want %v", batches, got, want)
		}
	})
}

// TestTooManyResolved: a handler that resolves more messages than its batch has does not affect the
// messages after it.
func TestTooManyResolved(t *testing.T) {
	p := newPaced(t, 0, func(*paced) worker.Sink { return batchSink(func(b worker.Batch) { b.Resolve(b.Len()+1, worker.OK) }) })
	p.w.length.level, p.w.costly = topLevel, true
	p.give(0, 0, 3)
	p.give(3, 3, 3)
	got := map[uint32]worker.Code{}
	p.replies(got)
	if want := map[uint32]worker.Code{0: worker.Refused, 1: worker.Refused, 2: worker.Refused, 3: worker.Refused, 4: worker.Refused, 5: worker.Refused}; !maps.Equal(got, want) || p.pool.Panics() != 1 {
		t.Errorf("replies %v, %d panics", got, p.pool.Panics())
	}
}

// TestRingSpaceFollowsTheBatch: slow messages are replied to before the next one is done; the space
// in the ring, where the rest of the batch lies, is released only at its end.
func TestRingSpaceFollowsTheBatch(t *testing.T) {
	var p *paced
	replies := 0
	p = newPaced(t, 0, func(*paced) worker.Sink {
		return batchSink(func(b worker.Batch) {
			words := p.w.In().Len()
			for b.Len() > 0 {
				p.clock += 5 * time.Millisecond
				b.Resolve(1, worker.OK)
				for p.w.Out().Next() != nil {
					replies++
				}
				if n := p.w.In().Len(); n != words {
					t.Errorf("%d words of the ring are in use, %d at first", n, words)
				}
			}
		})
	})
	p.w.length.level, p.w.costly = topLevel, true
	p.give(0, 0, 6)
	if p.pool.Turn(0); replies != 6 || p.w.In().Len() != 0 {
		t.Errorf("%d replies during the batch, %d words in use at the end", replies, p.w.In().Len())
	}
}

// TestLookAcrossRuns: of messages that become slow in the middle of a batch, at most lookMost are done
// before the first is replied to, also if its run ends in between.
func TestLookAcrossRuns(t *testing.T) {
	const fast, slow = 128, 400
	var p *paced
	done, replied, late := 0, 0, 0
	p = newPaced(t, 0, func(p *paced) worker.Sink {
		return byCode(func(worker.Message) worker.Code {
			for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
				replied += int(p.w.Reply(b).Count)
			}
			if done >= fast {
				p.clock += time.Millisecond
				late = max(late, done-max(replied, fast))
			}
			done++
			return worker.OK
		})
	})
	p.w.slabs.At(0).Data = make([]byte, fast+slow)
	p.w.length.level, p.w.progress.stride = topLevel, lookMost
	p.give(0, 0, fast+lookMost-1)
	p.give(fast+lookMost-1, 0, slow-lookMost+1)
	p.pool.Turn(0)
	if done != fast+slow || late > lookMost {
		t.Errorf("%d of %d messages done, %d before the first slow one was replied to", done, fast+slow, late)
	}
}

// TestSlowMessagesInShortBatches: also if no batch is as long as a stride, messages that have
// become slow are replied to before the next one is done, from the second batch on.
func TestSlowMessagesInShortBatches(t *testing.T) {
	const n = 10
	for name, sink := range map[string]func(f func(worker.Message) worker.Code) worker.Sink{
		"one by one": byCode,
		"in batches": func(f func(worker.Message) worker.Code) worker.Sink {
			return batchSink(func(b worker.Batch) {
				for b.Len() > 0 {
					b.Resolve(1, f(b.At(0)))
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p *paced
			each, done, replies := time.Duration(0), 0, 0
			p = newPaced(t, 0, func(p *paced) worker.Sink {
				return sink(func(worker.Message) worker.Code {
					for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
						replies += int(p.w.Reply(b).Count)
					}
					if each > time.Millisecond && replies < done {
						t.Errorf("%d replies, and %d messages are done", replies, done)
					}
					p.clock += each
					done++
					return worker.OK
				})
			})
			batch := func(cost time.Duration) {
				each = cost
				p.w.length.level = topLevel
				p.give(uint32(done), 0, n)
				p.pool.Turn(0)
			}
			p.w.slabs.At(0).Data = make([]byte, n)
			for range 5 {
				batch(100)
			}
			batch(time.Millisecond) // its replies may be late
			batch(5 * time.Millisecond)
			if done != 7*n {
				t.Errorf("%d messages are done", done)
			}
		})
	}
}

// TestKeysShareBatches: with retries and order by key, a batch has a message of each key, and the
// next one those that have waited for it.
func TestKeysShareBatches(t *testing.T) {
	const keys, each = 8, 6
	var sizes []int
	next := [keys]byte{}
	p := newPaced(t, 0, func(*paced) worker.Sink {
		return batchSink(func(b worker.Batch) {
			sizes = append(sizes, b.Len())
			for i := range b.Len() {
				key, number := b.At(i).Data[0], b.At(i).Data[1]
				if number != next[key] {
					t.Errorf("message %d of key %d, want %d", number, key, next[key])
				}
				next[key]++
			}
			b.Resolve(b.Len(), worker.OK)
		})
	}, func(cfg *Config) { cfg.Retries, cfg.Key = 1, mustSelect(t, "bytes:0:1") })
	p.w.length.level, p.w.costly = topLevel, true
	p.w.slabs.At(0).Data = nil
	for i := range uint32(keys * each) {
		p.w.slabs.At(0).Data = append(p.w.slabs.At(0).Data, byte(i%keys), byte(i/keys))
		p.w.In().Reserve(1)[0] = Span(2*i, 2)
		p.w.In().Commit(Desc{Seq: uint64(i), Slot: 10 * i}, 1)
	}
	p.w.In().Publish()
	got := map[uint32]worker.Code{}
	p.replies(got)
	if len(got) != keys*each || len(sizes) != each || !p.w.retry.idle() {
		t.Errorf("%d replies, batches of %v", len(got), sizes)
	}
}
