package gateway

import "feedgate/gateway/internal/pool"

// orderedBytes is what one of InFlight needs under "ordered", if acks quote messages.
const orderedBytes = 12

// Overhead is the memory, in bytes, that a gateway needs beside Memory: for its rings and its
// records of messages in flight. It is of a Config that is valid.
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
