// Package bench measures clients of a feed side by side: the gateway, what one
// would write instead of it, and what the kernel leaves to be had.
//
//	harness ----orders----> feed process, one for all:      [feedserver.Server] a run
//	   |  ^-----reports----'        ^
//	   |                            | TCP over loopback
//	   '----go, result----> subject process, one a run:     [Subject].Run
//
// The feed of NSQ is another process: nsqd, which has all messages before its client comes. Nobody measures latency there.
//
// Every subject is a process of its own. They run in turn, round after round, the
// first of a round moving on by one, so that what the machine has to give at a time
// meets all alike. A round before the first is not timed: it warms up, and the
// system calls are counted there, because counting costs each of them some time.
// Rates, times and faults are what the feed has seen, which checks every ack;
// processor time and allocations are what the subject's process says of itself
// between the order to begin and its end.
package bench
