// Package baselines holds what a user would write instead of a gateway: FG/1 clients
// in the ways that Go programmers write them, each as good as its way allows.
//
//	Limit      no client at all: what the kernel and the feed leave to be had
//	Inline     one goroutine, acks written over the messages, one send per read
//	Naive      one channel, and every worker writes its acks itself
//	Channels   a channel per worker, a writer that gathers acks while it can
//	Batches    what a read brings is a batch over channels, one writev for many
//	GnetAsync  a gnet client, a channel per worker, an AsyncWrite per ack
//	GnetLoop   a gnet client that does everything on its loop, one write per read
//
// Three are wrong on purpose, so that a harness can be tried on them:
//
//	InlineSlow     Inline that takes a quarter longer
//	InlineLoses    Inline that leaves out the ack of message 1000
//	InlineDoubles  Inline that acknowledges message 1000 twice
//
// All of them log in, acknowledge each message, answer PING, and on BYE finish
// what they have, say BYE and wait for the server to close. They take messages
// in one piece of up to 1 MiB, from servers that read acks while they send.
//
// Of the gateway they use the layout of FG/1's frames, package fg1, and nothing else. Each
// reads like a program of its own, so two of them may have some lines in common.
package baselines
