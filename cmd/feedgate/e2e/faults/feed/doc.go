// Package feed is the fault suite: the real binary between a real feed and real
// files, and all that can go wrong between them. Its tests are the package.
//
//	feedserver.Server --- toxics --- relay --- feedgate run --- file sink
//	(what is acked)            (acks seen,                (what is durable)
//	                            exact cuts)
//
// Every message is a line that holds its number, so that a sink's file can be held
// against the feed's report: nothing lost is that each number sent is in the file;
// an ack before its time is a number that the relay saw acked and that is not in
// the file when the gateway has just been killed.
//
// toxics is toxiproxy, for what resets, delays, slices, throttles or falls silent.
// relay cuts after exactly so many bytes, stops reading acks, and takes note of each
// ack that passes, neither of which toxiproxy does.
//
// Fault suites are a module of their own, because the product must not depend on
// toxiproxy, nsqd and what those depend on. Tests have a long form (make chaos) and with -short a short
// one. The environment has
//
//	CHAOS_SEED          what is random, from the seed that a run has printed
//	CHAOS_SOAK          how long TestSoak runs, a duration
//	FEEDGATE_TEST_RACE  1: the binary under test carries the race detector
package feed
