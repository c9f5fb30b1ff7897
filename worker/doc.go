// Package worker is the interface between a gateway and the code that processes its messages:
//
//   - [Each] makes a sink of a function that processes one message.
//   - [Batches] makes a sink of a function that processes many in one call, for work that costs about
//     the same for one as for many: a transaction, a request, an fsync.
//   - A [Sink] of your own makes a [Handler] for each worker. It can keep state per worker, and
//     resolve messages later, from another goroutine, in any order.
//
// The sink is a field of the gateway's Config, as are the settings that this package calls by
// their flags, such as --retries. Package feedgate/gateway/handlertest runs it in a unit test.
//
// Each worker is a goroutine with its own handler. It gets messages in the order in which they
// arrived; with --dispatch key, all messages of a key go to the same worker: this is order by key.
// The handler resolves each message with a [Code], or asks for it again. With --retries, a refused
// message is tried again, too. A message is acknowledged after it has been resolved for the last
// time, never before. Delivery is at least once: the server may send a message again that was done.
//
// [Buffer], [Metadata], [Origin] and [Picker] are for authors of protocols.
package worker
