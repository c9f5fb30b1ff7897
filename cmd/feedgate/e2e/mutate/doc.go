// Package mutate sends mutated bytes to the real binary from everything that gives it bytes. Its
// tests are the package.
//
//	talk, mutated --- hostile server --- feedgate run --- sink
//	(from the seed)   (sees every ack)
//
// A server plays a feed of each scheme. Each time that the gateway connects it says something
// else: a valid conversation in which bits are flipped, bytes inserted, deleted, repeated and
// cut off, lengths set to extremes, and another conversation continued, in random pieces, up to a
// FIN, a reset or a silence. The same happens to TLS records, answers of nsqlookupd, requests to the
// admin address, answers of exec: children, state files and --config files.
//
// After each, the process must be alive, without a panic. In the end its heap, goroutines and
// descriptors are what they were, its log is short and has nothing of a message in it, no
// message was acked that was not sent whole, none was acked twice on a connection, and a clean
// conversation is acked to the last message. The binary is built with the race detector, and there
// must be no race. With -mutate.plain it is built without, and its RSS is judged instead: the
// detector's memory grows with every page ever touched.
//
// What connection N is sent follows from the seed, the test's name and N alone. A run prints
// CHAOS_SEED=SEED, and a failure names N:
//
//	CHAOS_SEED=SEED go test ./cmd/feedgate/e2e/mutate -run TestSchemes/NAME -mutate.from=N -mutate.connections=1
//
// Timing, and what the gateway has from earlier connections, may differ. GOGC and GODEBUG
// reach the gateway.
package mutate
