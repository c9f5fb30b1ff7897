// Package http is the fault suite of the sink http://: the real binary between a real feed server and a
// real web server, and everything that can go wrong between them. It contains only tests.
//
//	feedserver.Server --- relay --- feedgate run --- [relay] --- server
//	(counts acks)    (sees each ack)             (exact cuts)  (stores, fails)
//
// Every message has its number and a key. The server is told what to do with each request; it records
// what it has stored, in order, before it answers. An ack is premature if the relay sees it before the
// server has stored the message. Nothing is lost if the server has each number; the order of a key
// holds if no message of the key was stored for the first time before an earlier one.
//
// Tests have a long form (make chaos) and, with -short, a short one. CHAOS_SEED sets the random seed.
package http
