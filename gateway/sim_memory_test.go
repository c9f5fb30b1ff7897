package gateway

import (
	"unsafe"

	"feedgate/worker/offheap"
)

// simMemory is memory for the slabs of one process that counts the bytes in use. Its pages are
// small, like the slabs. Freed pages are poisoned, so that a handler that still reads them is
// detected.
type simMemory struct {
	offheap.Heap
	used  int64 // bytes of pages that are not given back
	gone  map[*byte][]bool
	trims int // calls of Discard
}

func newSimMemory() *simMemory {
	return &simMemory{Heap: offheap.Heap{PageSize: 64}, gone: make(map[*byte][]bool)}
}

func (m *simMemory) Alloc(n int) ([]byte, error) {
	b, err := m.Heap.Alloc(n)
	m.gone[&b[0]] = make([]bool, n/m.Page())
	m.used += int64(n)
	return b, err
}

func (m *simMemory) Free(b []byte) {
	for _, gone := range m.gone[&b[0]] {
		if !gone {
			m.used -= int64(m.Page())
		}
	}
	delete(m.gone, &b[0])
	m.Heap.Free(b)
}

func (m *simMemory) Discard(part []byte) {
	m.trims++
	m.Heap.Discard(part)
	for start, gone := range m.gone {
		from := int(uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(start)))
		if from < 0 || from >= len(gone)*m.Page() {
			continue
		}
		for i := from / m.Page(); i < (from+len(part))/m.Page(); i++ {
			if !gone[i] {
				gone[i] = true
				m.used -= int64(m.Page())
			}
		}
	}
}
