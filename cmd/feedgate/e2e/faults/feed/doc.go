// Package feed is the fault suite of feeds: the real binary between a real feed server and real
// files, and everything that can go wrong between them. It contains only tests.
//
//	feedserver.Server --- toxics --- relay --- feedgate run --- file sink
//	(counts acks)               (records acks,            (ledger: what is durable)
//	                             exact cuts)
//
// Every message is a line with its number, so a sink's file can be compared with the feed
// server's report. Nothing is lost if each number sent is in the file. An ack is premature if the
// relay has seen it and, right after a kill, the number is not in the file.
//
// toxics is toxiproxy: it resets, delays, slices, throttles and silences connections. The relay
// does what toxiproxy cannot: it cuts after an exact number of bytes, stops reading acks, and
// records each ack that passes.
//
// Fault suites are a module of their own, because the product must not depend on toxiproxy and
// nsqd. Tests have a long form (make chaos) and, with -short, a short one. Variables:
//
//	CHAOS_SEED          the random seed; each run prints its own
//	CHAOS_SOAK          the duration of TestSoak
//	FEEDGATE_TEST_RACE  1: the binary under test carries the race detector
package feed
