package pool

import "unsafe"

// Memory of each worker for an entry of Config.Ring, in bytes.
const (
	// EntryBytes is the memory of a word of the ring of descriptors, a reply, completions, and
	// a pending message, since there may be one for each entry. A table of pending messages
	// that has grown takes up to twice as much.
	EntryBytes = wordBytes + ReplyBytes + completionBytes + deferredBytes
	// DeadEntryBytes is the memory of the completions of dead letters, if there are any.
	DeadEntryBytes = completionBytes

	// completionsEach is the size of a handler's ring of completions, per entry; see limits.go.
	completionsEach = 2

	wordBytes       = int64(unsafe.Sizeof(uint64(0)))
	completionBytes = completionsEach * int64(unsafe.Sizeof(completion{}))
	deferredBytes   = int64(unsafe.Sizeof(Desc{}) + unsafe.Sizeof(false))
)
