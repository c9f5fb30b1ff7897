// Package offheap allocates memory outside of Go's heap: it is returned to the kernel at once when
// it is freed, takes no physical memory until it is written, and the garbage collector does not
// scan it.
//
// The race detector sees only the heap. Therefore, with -race, [Default] is [Heap]. That also
// poisons memory that must not be read any more, so that a late read is a race, and returns
// [Poison].
package offheap

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Memory is an allocator. Any goroutine may call its methods.
type Memory interface {
	// Alloc allocates n bytes, n > 0.
	Alloc(n int) ([]byte, error)
	// Free frees the whole result of an Alloc. Nobody may use it afterwards.
	Free(b []byte)
	// Page returns the unit of Discard, in bytes.
	Page() int
	// Discard frees the physical memory of part, which has whole pages, counted from the start
	// of the result of Alloc. They can still be read and written, but their contents are lost.
	Discard(part []byte)
	// Recycle announces that nobody reads b any more, before it is written again.
	Recycle(b []byte)
}

var pageSize = os.Getpagesize()

// Kernel allocates anonymous mappings.
type Kernel struct{}

// Alloc maps n bytes.
func (Kernel) Alloc(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", n, err)
	}
	return b, nil
}

// Free unmaps b: who touches it afterwards dies of SIGSEGV.
func (Kernel) Free(b []byte) {
	if err := unix.Munmap(b); err != nil {
		panic(fmt.Sprintf("offheap: unmap %d bytes: %v", len(b), err))
	}
}

// Page is the size of the kernel's pages.
func (Kernel) Page() int { return pageSize }

// Discard has the kernel take the pages back; what is read from them is zero.
func (Kernel) Discard(part []byte) {
	// madvise(2) rounds the length up, and would take what follows.
	if len(part)%pageSize != 0 {
		panic(fmt.Sprintf("offheap: discard %d bytes, not whole pages", len(part)))
	}
	if len(part) == 0 {
		return
	}
	if err := unix.Madvise(part, unix.MADV_DONTNEED); err != nil {
		panic(fmt.Sprintf("offheap: discard %d bytes: %v", len(part), err))
	}
}

// Recycle does nothing.
func (Kernel) Recycle([]byte) {}

// Poison is the byte with which [Heap] overwrites memory whose contents are lost.
const Poison = 0xdb

// Heap allocates on Go's heap, for tests.
type Heap struct {
	PageSize int // 0: the kernel's
}

// Alloc makes n bytes.
func (Heap) Alloc(n int) ([]byte, error) { return make([]byte, n), nil }

// poisonMost limits how much Free poisons, in bytes. Most of a long buffer was never written.
// Writing it now, with the race detector's shadow memory, would take too long for tests.
const poisonMost = 1 << 20

// Free poisons b, or the beginning of it.
func (Heap) Free(b []byte) { poison(b[:min(len(b), poisonMost)]) }

// Page is PageSize.
func (h Heap) Page() int {
	if h.PageSize > 0 {
		return h.PageSize
	}
	return pageSize
}

// Discard poisons the pages.
func (h Heap) Discard(part []byte) {
	if len(part)%h.Page() != 0 {
		panic(fmt.Sprintf("offheap: discard %d bytes, not whole pages", len(part)))
	}
	poison(part)
}

// Recycle poisons b.
func (Heap) Recycle(b []byte) { poison(b) }

// RoundUp returns n rounded up to whole pages of m, in bytes.
func RoundUp(m Memory, n int) int { return (n + m.Page() - 1) / m.Page() * m.Page() }

var poisoned = bytes.Repeat([]byte{Poison}, 4<<10)

func poison(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, poisoned):] // by blocks: the race detector looks at each access
	}
}
