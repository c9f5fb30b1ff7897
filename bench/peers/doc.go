// Package peers holds what a user would write instead of a gateway: FG/1 clients
// in the ways that Go programmers write them, each as good as its way allows,
// and the server that they are measured against.
//
//	Limit     no client at all: what the kernel and the server leave to be had
//	Inline    one goroutine, acks written over the messages, one send per read
//	Batches   slices of messages over channels, one writev for many batches
//	Channels  a channel per worker, a writer that gathers acks while it can
//	Naive     one channel, and every worker writes its acks itself
//
// All of them log in, acknowledge each message, answer PING, and on BYE finish
// what they have, say BYE and wait for the server to close. They take messages
// in one piece of up to 1 MiB, from servers that read acks while they send.
package peers
