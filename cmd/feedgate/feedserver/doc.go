// Package feedserver is a feed server for trying things out, for tests and for
// benchmarks: many clients at once, synthetic messages or a replayed file, every
// acknowledgement checked.
//
// # Flow
//
//	gnet loop (owns sessions, connections, ledgers)         watch goroutine
//	socket --OnTraffic--> codec --acks--> ledger, latency
//	stream --render--> batch --write--> socket --full-->    waits for EPOLLOUT
//	           ^-------------- loop task <------------------ writable, timer, turn
//
// One gnet event loop owns everything but the watch; no state is shared, nothing
// is locked on the way of a message. Reading is gnet's: OnTraffic is handed the
// loop's own buffer and uses all of it up, so gnet never copies into its inbound
// buffer. Writing goes to the socket's descriptor directly: gnet's Write copies
// what the socket did not take into its outbound buffer, changes the epoll
// registration twice for it, and calls nobody when it has drained. The feed
// keeps its batch where it was rendered and goes on when the watch, a second
// epoll instance made of gnet's own netpoll, reports the socket writable.
//
// # TLS
//
//	OnTraffic --transport--> tls.Conn --plain--> codec
//	batch, replies --> tls.Conn --records--> transport --write--> socket
//
// Under TLS the same loop seals and opens, so that everything else is as without.
// Only the handshake, which crypto/tls does in one blocking call, has a goroutine;
// a connection has no session before its end. A message counts as sent when it is
// sealed, at most sealBytes before the socket has taken it.
//
// # Sequence numbers
//
// Within a session messages are numbered from 1, whatever the protocol. A message
// is a function of its number, so that nothing is kept for a resend: the stream
// is a block of rendered messages that repeats.
//
// # What it shares with the gateway
//
// A feed checks gateways, so it has code of its own for what both ends do: TLS over a
// socket that does not block, WebSocket's handshake, frames and acks, lines, length
// prefixes. A mistake in one of the two shows up when they meet.
//
// FG/1 is the exception: the layout of its frames is that of package fg1, used by both
// ends. A mistake there would agree with itself. The independent check of FG/1 is the
// codec of the acceptance tests, in cmd/feedgate/e2e, which import nothing of the module.
package feedserver
