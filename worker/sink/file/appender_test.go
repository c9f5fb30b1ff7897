package file

import (
	"bytes"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"feedgate/worker"
	"feedgate/worker/offheap"
	"feedgate/worker/sink/frame"
)

// TestGroupsAreBounded: a group keeps memory for the buffer, whatever it has had; a long record
// leaves none behind.
func TestGroupsAreBounded(t *testing.T) {
	const limit = 1 << 20
	g := &group{}
	defer g.free()
	for _, size := range []int{100, limit - 1, limit + limit/8, 3 * limit, 100} {
		data := bytes.Repeat([]byte{'x'}, size)
		if !g.add(frame.Line, worker.Message{Data: data}, limit) {
			t.Fatalf("a record of %d bytes does not fit into an empty group", size)
		}
		if want := append(data, '\n'); !bytes.Equal(g.data, want) {
			t.Fatalf("a record of %d bytes is wrong", size)
		}
		if fits := size < 2*limit; fits != (&g.data[0] == &g.memory[0]) {
			t.Errorf("a record of %d bytes: outside of the heap %v", size, !fits)
		}
		g.reset(limit)
		if len(g.data) != 0 || cap(g.data) != len(g.memory) || &g.data[:1][0] != &g.memory[0] {
			t.Fatalf("after a record of %d bytes: %d, %d", size, len(g.data), cap(g.data))
		}
		if _, heap := offheap.Default.(offheap.Heap); !heap {
			page := offheap.Default.Page()
			if in := residentPages(t, g.memory); in > offheap.RoundUp(offheap.Default, limit)/page {
				t.Errorf("after a record of %d bytes %d pages are kept", size, in)
			}
		}
	}
}

// residentPages returns how many pages of b have physical memory.
func residentPages(t *testing.T, b []byte) (n int) {
	t.Helper()
	page := offheap.Default.Page()
	in := make([]byte, len(b)/page)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, page := range in {
		n += int(page & 1)
	}
	return n
}
