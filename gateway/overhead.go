package gateway

import "feedgate/gateway/internal/pool"

// orderedBytes is the memory per message in flight that rendered acks need under "ordered".
const orderedBytes = 12

// Overhead returns the memory, in bytes, that a gateway needs in addition to Memory, for its rings and
// its records of messages in flight. c must be valid.
func (c *Config) Overhead(deadLetters bool) int64 {
	entry := int64(pool.EntryBytes)
	if deadLetters {
		entry += pool.DeadEntryBytes
	}
	n := entry * int64(c.Workers) * int64(c.Ring)
	if c.Ack == "ordered" {
		n += orderedBytes * int64(c.InFlight)
	}
	return n
}
