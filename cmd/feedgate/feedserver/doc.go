// Package feedserver is a feed server for experiments, tests and benchmarks. It serves many clients at
// once, sends synthetic messages or a replayed file, and checks every ack.
//
// # Flow
//
//	gnet loop (owns sessions, connections, ledgers)         watch goroutine
//	socket --OnTraffic--> codec --acks--> ledger, latency
//	stream --render--> batch --write--> socket --full-->    waits for EPOLLOUT
//	           ^-------------- loop task <------------------ writable, timer, turn
//
// One gnet event loop owns everything but the watch, so messages pass without locks or shared state.
//
// gnet reads: OnTraffic gets the loop's own buffer and consumes all of it, so gnet never copies into
// its inbound buffer. The feed writes to the socket's descriptor itself. gnet's Write would copy the
// bytes that the socket does not accept into its outbound buffer, change the epoll registration twice,
// and not report when the buffer is empty. The feed instead keeps the batch where it was rendered, and
// continues when the watch, a second epoll instance, reports that the socket is writable.
//
// # TLS
//
//	OnTraffic --transport--> tls.Conn --plain--> codec
//	batch, replies --> tls.Conn --records--> transport --write--> socket
//
// The same loop encrypts and decrypts. Only the handshake, a blocking call of crypto/tls, runs on a
// goroutine; until it ends, a connection has no session. A message counts as sent when it is
// encrypted, at most sealBytes before the socket accepts it.
//
// # Sequence numbers
//
// With every protocol, the messages of a session are numbered from 1. The number determines the
// message, so the feed keeps nothing for a resend: the stream is a block of rendered messages that
// repeats.
//
// # Code shared with the gateway
//
// A feed checks gateways, so it has its own code for TLS on a nonblocking socket, WebSocket's
// handshake, frames and acks, lines and length prefixes. A mistake on one side then shows when the two
// communicate.
//
// FG/1 is the exception: both use the frame layout of package fg1, where a mistake would agree with
// itself. The independent check of FG/1 is the codec of the acceptance tests in cmd/feedgate/e2e, which
// import nothing of the module but test kits.
package feedserver
