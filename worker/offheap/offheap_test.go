package offheap

import (
	"bytes"
	"testing"
	"unsafe"
)

func TestKernelDiscardsWholePagesOnly(t *testing.T) {
	var k Kernel
	b, err := k.Alloc(8 * PageSize)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Free(b)
	fill := func() {
		for i := range b {
			b[i] = 1
		}
	}
	for _, c := range []struct{ from, to, lostFrom, lostTo int }{
		{0, 8 * PageSize, 0, 8 * PageSize},
		{1, 8*PageSize - 1, PageSize, 7 * PageSize},
		{PageSize, 3 * PageSize, PageSize, 3 * PageSize},
		{1, PageSize, 0, 0},
		{1, 2*PageSize - 1, 0, 0},
		{5, 5, 0, 0},
		{PageSize - 1, 2 * PageSize, PageSize, 2 * PageSize},
	} {
		fill()
		k.Discard(b[c.from:c.to])
		for i, v := range b {
			want := byte(1)
			if i >= c.lostFrom && i < c.lostTo {
				want = 0
			}
			if v != want {
				t.Fatalf("Discard [%d:%d): byte %d is %d, want %d", c.from, c.to, i, v, want)
			}
		}
	}
}

func TestHeapPoisons(t *testing.T) {
	var h Heap
	b, err := h.Alloc(4 * PageSize)
	if err != nil {
		t.Fatal(err)
	}
	h.Discard(b)
	first := (PageSize - int(uintptr(unsafe.Pointer(&b[0]))%uintptr(PageSize))) % PageSize
	if b[first] != Poison || first > 0 && b[0] != 0 {
		t.Fatalf("Discard: byte %d is %#x, byte 0 is %#x", first, b[first], b[0])
	}
	h.Recycle(b)
	if !bytes.Equal(b, bytes.Repeat([]byte{Poison}, len(b))) {
		t.Fatal("Recycle: not poisoned")
	}
}

func TestKernelReportsWhatItCannotMap(t *testing.T) {
	if _, err := (Kernel{}).Alloc(1 << 62); err == nil {
		t.Fatal("4 EiB were mapped")
	}
}
