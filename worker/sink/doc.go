// Package sink has the built-in handlers, each named by a URL:
//
//	discard:       counts messages and bytes
//	spin:500ns     burns so much processor time a message, for measurements
//	stdout:        writes a message and LF to standard output
//	file:PATH      appends a message and LF to a file; done after fsync
//	exec:COMMAND   gives messages to a child process for each worker
//
// # Who runs what
//
// A handler's methods run on its worker. What can block for long has a goroutine
// of its own, so that a worker is held up only where it may be:
//
//	stdout: one writer goroutine a sink. Handle waits for its write, or for the
//	        pool to stop.
//	file:   one commit goroutine a sink. Handle copies into a bounded buffer and
//	        waits only when that is full, or for the pool to stop.
//	exec:   for each worker one goroutine that starts the child, reads its answers
//	        and restarts it, one that writes to the child, one that waits for its
//	        end, and one that waits for the pool to stop. Handle never waits. Start
//	        starts the first children before there are handlers.
//
// All of them have ended when the handler's or the sink's Close returns, except a
// write to standard output that nobody reads.
//
// A message whose outcome is not known when its handler ends is put off and never
// completed, rather than refused: it was not handled, and is not acknowledged.
package sink
