package offheap

import "unsafe"

// pages is the whole pages within b; empty when there are none.
func pages(b []byte) []byte {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	page := uintptr(PageSize)
	from := (page - at%page) % page
	end := uintptr(len(b)) - min(uintptr(len(b)), (at+uintptr(len(b)))%page)
	if from >= end {
		return nil
	}
	return b[from:end]
}
