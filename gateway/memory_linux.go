package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mapSlab gets a slab's memory from the kernel rather than the heap: it is given
// back the moment it is not wanted, and what was never touched costs nothing.
func mapSlab(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for a read buffer: %w", n, err)
	}
	return b, nil
}

func unmapSlab(b []byte) {
	if err := unix.Munmap(b); err != nil {
		panic(fmt.Sprintf("gateway: unmap a read buffer: %v", err))
	}
}
