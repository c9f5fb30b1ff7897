// Package gateway is one upstream connection, its event loop and its workers.
//
// The way of a message, and who does each step:
//
//	socket                                    the server sends
//	  | recv                 loop             intake.read, into the slab's tail
//	slab
//	  | Decode               loop             intake.decode, wire.Conn
//	messages
//	  | dispatch             loop             intake.dispatch: delivery.Tracker, worker
//	ring of descriptors      loop -> worker   ring.SPSC, published once per run
//	  | Handle               worker           worker.Worker.turn, the sink
//	ring of replies          worker -> loop   ring.Bytes, published once per batch; ring.Bell
//	  | Done                 loop             loop.takeReplies, delivery.Tracker
//	delivery.SendBuffer
//	  | sendmmsg             loop             loop.flush
//	socket                                    the server reads acks
//
// A turn of the loop goes through this order once and does at each step what
// there is to do; when a whole turn finds nothing, the loop blocks in the poller.
//
// What holds back: a full descriptor ring or a full window stops dispatch, and so
// decoding and reading; a slab pool without a free slab stops reading; an output
// that the peer does not empty stops the taking of replies and the reading, so
// that the reply rings fill and the workers stop. Nothing is dropped on the way.
//
// A message that does not lie in the slab, such as one joined from several, is in
// wire.Input.Side; intake.copyOwn copies it to a slab of its own kind before dispatch.
//
// The connection is a table of states and events, states.go, with its timers in timers.go.
//
// Package delivery, which decides what is new, done and acked, and the protocols do no I/O
// and read no clock. System calls are in the files named _linux.go.
package gateway
