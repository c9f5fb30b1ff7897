// Package sink opens sinks by URL. Each kind of sink is a package below this one that exports a
// [Kind]: how its URLs look, its flags, help and defaults, and how it is opened. A program lists
// its kinds in a [Registry], which parses URLs, finds their faults and opens them.
//
// # Adding a sink
//
// docs/adding-a-sink.md is the guide. In short: Parse of a Kind takes a URL apart with a method of
// [URL], reads the flags of the kind, and returns a [Target] with a function that opens the sink.
// What only some sinks can do, such as opening a file again, is a function in the open [Sink].
// Sinks that are servers share [ServerFlags] and get [Credentials].
//
// Package kit is for sinks that are servers, frame has the formats that sinks which write a stream
// share, and sinktest is for tests.
//
// # Goroutines
//
// The methods of a handler run on its worker's goroutine. Calls that can block for long, such as
// writes to a disk, are made by a goroutine of the sink, so that the worker can stop in time. When
// Close of the handler or of the sink returns, these goroutines have ended, except one in a write
// that cannot be interrupted.
//
// A message whose outcome is unknown when the handler is closed stays unresolved and so
// unacknowledged, rather than refused.
package sink
