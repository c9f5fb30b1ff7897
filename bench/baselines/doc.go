// Package baselines has the FG/1 clients that a user would write instead of a gateway, in the
// styles of Go programmers, each as good as its style allows.
//
//	Limit      not a real client: the upper bound set by kernel and feed
//	Inline     one goroutine, acks written over the messages, one send per read
//	Naive      one channel; every worker writes its own acks
//	Channels   a channel per worker, a writer that combines the available acks
//	ChannelsByKey  Channels with order by key
//	Batches    one batch per read over channels, one writev for many
//	GnetAsync  a gnet client, a channel per worker, one AsyncWrite per ack
//	GnetLoop   a gnet client that does everything on its loop, one write per read
//
// Three pass messages on to a server, see package destination, and ack what it has confirmed:
//
//	KafkaBare      one goroutine, one client of franz-go, whose promises ack
//	KafkaChannels  Channels, with a client of franz-go and ProduceSync per worker
//	PostEach       Channels, with one POST per message
//
// Three have deliberate faults, for tests of the harness:
//
//	InlineSlow     Inline, but a quarter slower
//	InlineLoses    Inline without the ack of message 1000
//	InlineDoubles  Inline that acks message 1000 twice
//
// All of them log in, ack each message, answer PING, and after BYE finish their messages, send BYE
// and wait for the server to close. They accept unfragmented messages of up to 1 MiB, from servers
// that read acks while they send.
//
// Of the gateway they use only package fg1, the layout of FG/1 frames. Each is a complete program
// of its own, so some of them have lines in common.
package baselines
