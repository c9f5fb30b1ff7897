// Package worker is the interface between a gateway and the code that processes its messages.
//
// Start with the simplest of three:
//
//   - [Each] makes a sink of a function that processes one message.
//   - [Batches] makes a sink of a function that processes many messages in one call, for work that
//     costs about the same for one message as for many: a transaction, a request, an fsync.
//   - A [Sink] of your own makes a [Handler] for each worker. It can keep state per worker, and
//     resolve messages later, from another goroutine, in any order.
//
// The sink is a field of the gateway's Config, as are the settings that this package calls by their
// flags, such as --retries. Package feedgate/gateway/handlertest runs a sink in a unit test,
// without a socket.
//
// # From a message to its acknowledgement
//
// A gateway has several workers. Each is a goroutine with its own Handler, and gets messages in the
// order in which they arrived; with --dispatch key, all messages of a key go to the same worker.
// The handler resolves each message with a [Code]: the message is done, or refused. Or the handler
// asks for the message again, after some time. With --retries, a refused message is tried again,
// too. A message is acknowledged after it has been resolved for the last time, never before. One
// that is never resolved is never acknowledged.
//
// Delivery is at least once: after a lost connection, the server may send a message again that was
// done.
//
// # Related packages
//
// feedgate/worker/sink opens sinks by URL, as the command feedgate does. feedgate/worker/sink/kit
// is for sinks that send messages to a server. feedgate/worker/selector picks keys and other parts
// of messages. [Buffer], [Metadata], [Origin] and [Picker] concern the authors of protocols; a
// handler uses the methods of [Message].
package worker
