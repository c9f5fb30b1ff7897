// Package worker is for programs that process messages: it defines what a gateway's workers call.
//
//   - [Each] makes a sink of a function that gets one message at a time.
//   - [Batches] makes one of a function that gets many.
//   - [Sink] is for everything else: handlers with state, and messages that are resolved later, by
//     another goroutine, in any order.
//
// A gateway runs several workers. Each is one goroutine with a [Handler] of its own; messages reach
// it in order of arrival, under --dispatch key all messages of a key. A message is acknowledged
// after it has been resolved, never before.
//
// Package feedgate/gateway/handlertest runs handlers in unit tests. Package feedgate/worker/sink
// finds sinks by URL, and feedgate/worker/sink/kit is for sinks that are servers.
package worker
