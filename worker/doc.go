// Package worker runs messages through handlers. A [Pool] has N workers, each a
// goroutine with a ring of descriptors from the gateway's loop and a ring of
// replies back to it, and each with a [Handler] of its own.
//
// A message belongs to its worker from the moment it is taken from the ring until
// its reply is published: handled, put off and completed later, tried again,
// refused. The loop sees only replies.
//
// To plug in your own processing write a [Func] and pass [Each] of it as the
// sink, or implement [Sink] to handle messages in batches and to complete them
// later, from another goroutine and in any order.
package worker
