// Package bench measures clients of a feed side by side: the gateway, the programs that one would
// write instead, and an upper bound set by the kernel.
//
//	harness ----orders----> feed process, one for all:      [feedserver.Server], one per run
//	   |  ^-----reports----'        ^
//	   |                            | TCP over loopback
//	   |----go, result----> subject process, one per run:   [Subject].Run
//	   |                            | messages, of subjects that pass them on
//	   '----URL, count----> destination, one per run:       a server in a process, or a file
//
// NSQ has another feed process: nsqd, which holds all messages before its client connects. It
// measures no latency.
//
// Subjects with a destination pass messages on to it. It counts them, and a run is invalid if it does
// not have as many as were acknowledged. A feed of lines gets no acks: then the client counts the
// messages, the time is that from its order to begin to its result, and there are no latencies.
//
// Every subject is a process of its own. The subjects run in turn, round after round, and each round
// begins with the next subject, so that a change in the machine's speed affects all of them. An
// untimed round comes first: it warms up, and its system calls are counted, because counting slows
// each of them down. Rates, times and faults are measured by the feed, which checks every ack. CPU
// time and allocations are measured by the subject's process, from the order to begin to its end.
package bench
