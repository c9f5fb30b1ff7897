package main

import (
	"feedgate/worker/sink"
	"feedgate/worker/sink/discard"
	"feedgate/worker/sink/exec"
	filesink "feedgate/worker/sink/file"
	"feedgate/worker/sink/spin"
	"feedgate/worker/sink/stdout"
)

// sinks are the kinds of sinks there are, in the order of the help. Nothing else names one.
var sinks = sink.Registry{
	exec.Kind,
	filesink.Kind,
	stdout.Kind,
	discard.Kind,
	spin.Kind,
}
