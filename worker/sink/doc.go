// Package sink has the built-in handlers, each named by a URL:
//
//	discard:       counts messages and bytes
//	spin:500ns     burns so much processor time a message, for measurements
//	stdout:        writes each message to standard output
//	file:PATH      appends each message to a file; done after fsync
//	exec:COMMAND   gives messages to a child process for each worker
//
// # Framing
//
// stdout: and file: write a message and LF. With ?frame=length behind them they
// write u32be length and the message, with ?frame=json a line
// {"seq":N,"id":"...","data":"..."}, in which data64, base64, takes the place of data
// if the message is not UTF-8. One worker writes in the order of arrival; the order
// between several is that in which they hand their messages over.
//
// In a PATH, %3F is a question mark and %25 a percent sign; every other byte is
// itself.
//
// # Files
//
// A file is appended to by one sink, which locks it (flock). What a killed process
// left at its end is mended when it is opened, and nothing is deleted: an unfinished
// line gets its LF; an unfinished frame is moved to PATH.unfinished, or, where that
// exists, to PATH.unfinished.1 and so on. A file of another framing is an error.
//
// A file may be renamed, or removed, at any time; the next commit, or Reopen, starts
// another one at PATH. What is acknowledged is then in the new file or was in the
// old one before it was renamed, at worst in both. A reader of a renamed file must
// expect an unfinished record at its end, which is in the new file as a whole. Where
// a rotation copies the file and then empties it, what is written between the two is
// lost, as with any program.
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
// write to standard output that nobody reads, or to a disk that does not answer.
//
// A message whose outcome is not known when its handler ends is put off and never
// completed, rather than refused: it was not handled, and is not acknowledged.
package sink
