// Package mutate sends mutated bytes to the real binary, built with the race detector, from
// everything that gives it bytes. Its tests are the package.
//
//	talk, mutated --- hostile server --- feedgate run --- sink
//	(from the seed)   (sees every ack)   (-race)
//
// A server plays a feed of each scheme. Each time that the gateway connects it says something
// else: a valid conversation in which bits are flipped, bytes inserted, deleted, repeated and
// cut off, lengths set to extremes, and another conversation continued, in random pieces, up to a
// FIN, a reset or a silence. The same happens to TLS records, answers of nsqlookupd, requests to the
// admin address, answers of exec: children, state files and --config files.
//
// After each, the process must be alive, without a race or a panic. In the end its memory,
// goroutines and descriptors are what they were, its log is short and has nothing of a
// message in it, no message was acked that was not sent whole, none was acked twice on a
// connection, and a clean conversation is acked to the last message.
//
// What connection N is sent follows from the seed, the test's name and N alone. A run prints
// CHAOS_SEED=SEED, and a failure names N:
//
//	CHAOS_SEED=SEED go test ./bench/mutate -run TestSchemes/NAME -mutate.from=N -mutate.connections=1
//
// -mutate.plain is the binary without the race detector, whose RSS is to be flat. Timing, and what the gateway has from earlier connections, may differ. GOGC and GODEBUG reach
// the gateway.
package mutate
