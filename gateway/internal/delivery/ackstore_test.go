package delivery

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"feedgate/worker/offheap"
)

// TestAckStoreAgainstModel: acks are unchanged until they are dropped, even if chunks are reused.
// The memory is exactly that of the chunks with acks and of a few spare ones, and all of it is
// freed at the end.
func TestAckStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory := &countedMemory{}
		var k ackStore
		const slots = 64
		k.init(memory, 128, slots)
		model := map[uint64][]byte{}
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			slot := uint64(rapid.IntRange(0, slots-1).Draw(t, "slot"))
			switch what := rapid.IntRange(0, 60).Draw(t, "what"); {
			case what == 0:
				k.reset()
				clear(model)
			case what < 30 && model[slot] == nil:
				ack := bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom([]int{0, 1, 20, 127, 128, 129, 300}).Draw(t, "size"))
				k.add(slot+slots*uint64(i), ack)
				if len(ack) > 0 {
					model[slot] = ack
				}
			default:
				k.drop(slot)
				delete(model, slot)
			}
			for slot := range uint64(slots) {
				if got := k.of(slot); !bytes.Equal(got, model[slot]) {
					t.Fatalf("step %d: ack of slot %d is %x, want %x", i, slot, got, model[slot])
				}
			}
			if len(model) == 0 && k.waiting != 0 || k.waiting < 0 || k.bytes() != memory.bytes || k.bytes()-k.waiting > 128*maxSpareChunks {
				t.Fatalf("step %d: %d bytes, %d of them waiting, with %d acks; %d are allocated", i, k.bytes(), k.waiting, len(model), memory.bytes)
			}
		}
		if k.free(); k.bytes() != 0 || memory.bytes != 0 {
			t.Fatalf("%d bytes left, %d allocated", k.bytes(), memory.bytes)
		}
	})
}

// countedMemory counts allocated bytes and poisons freed memory.
type countedMemory struct {
	offheap.Heap
	bytes int64
}

func (m *countedMemory) Alloc(n int) ([]byte, error) {
	m.bytes += int64(n)
	return make([]byte, n), nil
}

func (m *countedMemory) Free(b []byte) {
	m.bytes -= int64(len(b))
	m.Heap.Free(b)
}

// TestAckStoreAllocatesNothing: in the steady state, adding an ack does not allocate.
func TestAckStoreAllocatesNothing(t *testing.T) {
	var k ackStore
	k.init(offheap.Kernel{}, 0, 1024)
	defer k.free()
	ack := []byte(fmt.Sprintf("%01000d", 1))
	turn := func() {
		for slot := range uint64(200) {
			k.add(slot, ack)
		}
		for slot := range uint64(200) {
			k.drop(slot)
		}
	}
	turn()
	if n := testing.AllocsPerRun(100, turn); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
