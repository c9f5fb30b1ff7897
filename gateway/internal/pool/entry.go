package pool

import "unsafe"

// Memory of each worker for an entry of Config.Ring, in bytes.
const (
	// EntryBytes is that of a descriptor, a reply, and the completions, and that of a deferred
	// message: there may be one for each entry. A table of these that has grown has up to twice
	// as much.
	EntryBytes = wordBytes + ReplyBytes + completionBytes + deferredBytes
	// DeadEntryBytes is that of the completions of dead letters, where there are any.
	DeadEntryBytes = completionBytes

	// completionsEach is how many completions a handler's ring has room for: see Worker.room.
	completionsEach = 2

	wordBytes       = int64(unsafe.Sizeof(uint64(0)))
	completionBytes = completionsEach * int64(unsafe.Sizeof(completion{}))
	deferredBytes   = int64(unsafe.Sizeof(Desc{}) + unsafe.Sizeof(false))
)
