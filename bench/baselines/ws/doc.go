// Package ws has the WebSocket clients that a user would write instead of a gateway, with popular
// Go libraries, each as good as its library allows.
//
//	GWS    github.com/lxzan/gws
//	Coder  github.com/coder/websocket
//
// Except for the library, both are the same as baselines.Channels:
//
//	socket --> conn --> library --> [channel, one per worker] --> worker --v
//	socket <-- conn <-- library <-- writer <---------- [channel of numbers]
//
// They accept text and binary messages of up to 1 MiB, ack each with the text A{n}, where n is its
// number on the connection from 1, answer PING, and after Close finish and ack their messages
// before they answer it.
//
// Alternatives, measured at 64 bytes with two workers: one write to the socket per ack, with or
// without gws's WriteAsync, takes four to ten times the CPU time of combined acks, see conn.
// coder's Read allocates each message, and takes more than twice the time with a context that can
// end. Workers that write their acks themselves, under the library's lock, are no faster with gws
// and slower with coder. A writer that yields before it combines, or another GOGC, is no faster.
// Detecting Close, see scanner, costs one to two percent. UTF-8 is not checked: gws could, coder
// cannot.
package ws
