package pool

import (
	"testing"

	"pgregory.net/rapid"
)

// TestInboxKeepsEveryBit: the worker gets every field of a run as the loop wrote it.
func TestInboxKeepsEveryBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newInbox(4096)
		edge := func(least, most int) *rapid.Generator[int] {
			return rapid.OneOf(rapid.SampledFrom([]int{least, most}), rapid.IntRange(least, most))
		}
		for range rapid.IntRange(1, 20).Draw(t, "runs") {
			want := Desc{
				Seq: rapid.Uint64().Draw(t, "seq"), Slot: rapid.Uint32().Draw(t, "slot"),
				Slab: uint16(edge(0, MaxSlabs-1).Draw(t, "slab")), Tag: uint8(edge(0, 255).Draw(t, "tag")),
			}
			n := edge(1, MaxRun).Draw(t, "count")
			spans := b.Reserve(n)
			n = min(n, len(spans))
			for i := range n {
				spans[i] = Span(uint32(i), 1<<32-1)
			}
			b.Commit(want, n)
			b.Publish()
			got := b.next(1 << 20)
			if got.base != want || len(got.spans) != n {
				t.Fatalf("%+v, %d messages; want %+v, %d", got.base, len(got.spans), want, n)
			}
			if last := got.at(n - 1); last.Off != uint32(n-1) || last.Len != 1<<32-1 || last.Tag != want.Tag {
				t.Fatalf("the last message is %+v", last)
			}
			if !b.empty() {
				t.Fatal("there are more messages than were sent")
			}
			b.release()
		}
	})
}

func TestTooManySlabs(t *testing.T) {
	NewSlabs(MaxSlabs, nil)
	defer func() {
		if recover() == nil {
			t.Error("the table has more slabs than a descriptor can name")
		}
	}()
	NewSlabs(MaxSlabs+1, nil)
}
