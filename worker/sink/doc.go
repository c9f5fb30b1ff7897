// Package sink is what a sink is and how a program finds the one that a URL names. Each kind
// of sink is a package below this one, which exports a [Kind]: its URL, its flags, its help,
// its defaults, its faults. A program lists the kinds that it has in a [Registry].
//
// # Adding a sink
//
// docs/adding-a-sink.md is a guide. A Kind's Parse takes the URL apart with one of the methods
// of [URL], which refuse unknown and repeated parameters, reads the flags of its groups, and
// returns a [Target] with a function that opens the sink. What only some sinks can do, such as
// opening a file again, is a function in the open [Sink]. Sinks that are servers share
// [ServerFlags] and get [Credentials]. Package kit is for those that complete later, package
// frame has the framings that sinks share, and package sinktest a rig for tests that stands for
// the gateway.
//
// # Who runs what
//
// A handler's methods run on its worker. What can block for long has a goroutine of its own,
// so that a worker is held up only where it may be. All of them have ended when the
// handler's or the sink's Close returns, except a write that nothing can interrupt.
//
// A message whose outcome is not known when its handler ends is put off and never completed,
// rather than refused: it was not handled, and is not acknowledged.
package sink
