// Package offheap is memory for messages outside of Go's heap: it is given back to the kernel the
// moment it is not wanted, costs nothing until it is touched, and the garbage collector has
// nothing to do with it.
//
// The race detector sees only the heap. Under -race, [Default] is therefore [Heap], which also
// poisons what is not to be read any more: a reader that comes too late is a race, and what it
// reads is Poison.
package offheap

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Memory is where the memory comes from. Its methods may be called by any goroutine.
type Memory interface {
	// Alloc gets n bytes, n > 0.
	Alloc(n int) ([]byte, error)
	// Free gives back what Alloc has returned, whole. Nobody may touch it afterwards.
	Free(b []byte)
	// Page is the unit of Discard, in bytes.
	Page() int
	// Discard gives back the memory of part: whole pages, counted from the start of what
	// Alloc has returned. They stay valid to read and to write, but their contents are lost.
	Discard(part []byte)
	// Recycle is called before b, which nobody reads any more, is written again.
	Recycle(b []byte)
}

var pageSize = os.Getpagesize()

// Kernel is anonymous mappings.
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

// Poison is what [Heap] fills memory with whose contents are lost.
const Poison = 0xdb

// Heap is Go's heap, for tests.
type Heap struct {
	PageSize int // 0: the kernel's
}

// Alloc makes n bytes.
func (Heap) Alloc(n int) ([]byte, error) { return make([]byte, n), nil }

// poisonMost bounds what Free poisons, in bytes. Most of a long buffer was never touched; to touch
// it now, and what the race detector keeps about it, would take longer than tests wait.
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

// RoundUp is n bytes up to a whole page of m.
func RoundUp(m Memory, n int) int { return (n + m.Page() - 1) / m.Page() * m.Page() }

var poisoned = bytes.Repeat([]byte{Poison}, 4<<10)

func poison(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, poisoned):] // by blocks: the race detector looks at each access
	}
}
