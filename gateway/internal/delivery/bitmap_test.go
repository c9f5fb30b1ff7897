package delivery

import (
	"testing"

	"pgregory.net/rapid"
)

// TestBitmapAgainstModel compares the bitmap with a slice of bools.
func TestBitmapAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 256
		b, model := newBitmap(size), make([]bool, size)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			slot := rapid.Uint64Range(1<<40, 1<<40+size).Draw(t, "slot")
			n := rapid.Uint64Range(0, size).Draw(t, "n")
			set := rapid.Bool().Draw(t, "set")
			if set {
				b.set(slot, n)
			} else {
				b.clear(slot, n)
			}
			for i := range n {
				model[(slot+i)%size] = set
			}
			from := rapid.Uint64Range(1<<40, 1<<40+size).Draw(t, "from")
			most := rapid.Uint64Range(1, size).Draw(t, "most")
			want := uint64(1)
			for want < most && model[(from+want)%size] == model[from%size] {
				want++
			}
			if got, set := b.prefix(from, most); got != want || set != model[from%size] {
				t.Fatalf("prefix(%d, %d) = %d %v, want %d %v", from, most, got, set, want, model[from%size])
			}
		}
	})
}
