// Package mutate sends mutated bytes to the real binary from every source of input. It contains only
// tests.
//
//	conversation, mutated --- hostile server --- feedgate run --- sink
//	(from the seed)           (checks acks)
//
// A server simulates a feed of each scheme. On each connection it sends another valid conversation,
// mutated: with flipped bits; inserted, deleted, repeated and truncated bytes; extreme lengths; parts
// of another conversation. It sends it in random pieces, up to a FIN, a reset or silence. Likewise
// mutated are TLS records, responses of nsqlookupd, requests to the admin address, answers of exec:
// children, state files and --config files.
//
// After each mutant the process must be alive, without a panic. At the end its heap, goroutines and
// descriptors have not grown; its log is short and has no part of a message; no message was acked
// that was not sent completely, or twice on a connection; and a valid conversation is acked
// completely. The binary is built with the race detector, and must have no race. With -mutate.plain
// it is built without it, and its RSS must not grow either: the detector's memory grows with every
// page ever used.
//
// The bytes sent on connection N depend only on the seed, the test's name and N. A run prints
// CHAOS_SEED=SEED, and a failure names N:
//
//	CHAOS_SEED=SEED go test ./cmd/feedgate/e2e/mutate -run TestSchemes/NAME -mutate.from=N -mutate.connections=1
//
// Timing, and the gateway's state from earlier connections, may differ. GOGC and GODEBUG are passed
// to the gateway.
package mutate
