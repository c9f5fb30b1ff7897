package offheap

import (
	"bytes"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelDiscardsPages: the pages are lost, and not in memory any more; the others stay.
func TestKernelDiscardsPages(t *testing.T) {
	var k Kernel
	page := k.Page()
	b, err := k.Alloc(8 * page)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Free(b)
	for _, c := range []struct{ from, to int }{{0, 8}, {1, 3}, {7, 8}, {2, 2}} {
		for i := range b {
			b[i] = 1
		}
		k.Discard(b[c.from*page : c.to*page])
		resident := make([]byte, 8)
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, address(b), uintptr(len(b)), address(resident)); errno != 0 {
			t.Fatal(errno)
		}
		for i := range 8 {
			lost := c.from <= i && i < c.to
			if got := resident[i]&1 == 0; got != lost {
				t.Errorf("Discard of pages %d to %d: page %d is out of memory: %v", c.from, c.to, i, got)
			}
			if want := byte(1); lost && b[i*page] != 0 || !lost && (b[i*page] != want || b[(i+1)*page-1] != want) {
				t.Errorf("Discard of pages %d to %d: page %d begins with %d", c.from, c.to, i, b[i*page])
			}
		}
	}
}

// TestPartsOfPagesStay: madvise would take the rest of the last page too.
func TestPartsOfPagesStay(t *testing.T) {
	for _, m := range []Memory{Kernel{}, Heap{}} {
		b, err := m.Alloc(2 * m.Page())
		if err != nil {
			t.Fatal(err)
		}
		b[m.Page()] = 1
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T discarded a page and a byte", m)
				}
			}()
			m.Discard(b[:m.Page()+1])
		}()
		if b[m.Page()] != 1 {
			t.Errorf("%T: the second page is lost", m)
		}
		m.Free(b)
	}
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func TestHeapPoisons(t *testing.T) {
	h := Heap{PageSize: 64}
	b, err := h.Alloc(256)
	if err != nil {
		t.Fatal(err)
	}
	lost := bytes.Repeat([]byte{Poison}, 256)
	h.Discard(b[64:192])
	if !bytes.Equal(b[64:192], lost[64:192]) || b[63] != 0 || b[192] != 0 {
		t.Fatalf("Discard: %x", b)
	}
	h.Recycle(b)
	if !bytes.Equal(b, lost) {
		t.Fatal("Recycle: not poisoned")
	}
	b[0] = 0
	h.Free(b)
	if !bytes.Equal(b, lost) {
		t.Fatal("Free: not poisoned")
	}
}

func TestKernelReportsWhatItCannotMap(t *testing.T) {
	if _, err := (Kernel{}).Alloc(1 << 62); err == nil {
		t.Fatal("4 EiB were mapped")
	}
}
