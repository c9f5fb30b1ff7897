// Package ws holds what a user would write instead of a gateway where the feed
// speaks WebSocket: clients of the libraries that Go programmers take, each as good
// as its library allows.
//
//	GWS    github.com/lxzan/gws
//	Coder  github.com/coder/websocket
//
// Around the library both are the same, and the same as baselines.Channels:
//
//	socket --> conn --> library --> [channel, one per worker] --> worker --v
//	socket <-- conn <-- library <-- writer <---------- [channel of numbers]
//
// They take every message, text or binary, of up to 1 MiB, acknowledge it with the
// text A{n}, n being its number on the connection from 1, answer PING, and on Close
// finish and acknowledge what they have before they answer it.
//
// What else the libraries offer, at 64 bytes and with two workers: a write to the
// socket for each ack, with gws's WriteAsync or without, takes four to ten times the
// processor time of acks that leave together, see conn. coder's Read allocates each
// message, and any context that can end makes it take more than twice the time.
// Workers that write their acks themselves, under the library's lock, are no faster
// with gws and slower with coder; neither is a writer that yields before it gathers,
// or another GOGC. To look for Close, see scanner, costs one to two hundredths. That
// text is UTF-8 is not checked: gws would, coder cannot.
package ws
