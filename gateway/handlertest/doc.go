// Package handlertest runs sinks, and so handlers, in unit tests: on the workers of a real gateway,
// without a socket.
//
// [Run] gives messages to a sink and returns the code of each. Most tests need nothing else:
//
//	codes := handlertest.Run(t, worker.Each(f), handlertest.Messages("good", "bad")...)
//
// [Start] returns a [Gateway], for tests that look at what happens on the way: a server that is
// away, a drain, a stop with messages unresolved. [StartWith] is for retries, order by key and dead
// letters. Several workers, under go test -race, show what handlers of one sink share by mistake;
// Run has one. Package feedgate/worker/sink/sinktest has a check for goroutines, files and
// processes that are left behind.
//
// A gateway may reuse a message's memory once the message is resolved. Therefore its data are then
// overwritten: a handler that keeps them for longer reads bytes of value [Poison]. A handler that
// changes data fails the test.
package handlertest
