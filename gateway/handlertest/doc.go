// Package handlertest runs handlers and sinks in unit tests: on the workers of a real gateway,
// without a socket.
//
// [Run] gives messages to a sink and returns their codes. [Start] is for tests that look into what
// happens on the way: it stands for the gateway, on the test's goroutine.
//
// A message's data are overwritten as soon as the message is resolved, because a gateway may use
// that memory again: a handler that keeps data too long finds bytes of [Poison] in them. A handler
// that changes data fails the test.
package handlertest
