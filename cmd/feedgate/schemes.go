package main

import (
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/tcp"
	"feedgate/gateway/wire/ws"
	"feedgate/worker/sink"
	"feedgate/worker/sink/discard"
	"feedgate/worker/sink/exec"
	filesink "feedgate/worker/sink/file"
	httpsink "feedgate/worker/sink/http"
	"feedgate/worker/sink/kafka"
	"feedgate/worker/sink/spin"
	"feedgate/worker/sink/stdout"
)

// protocols are all protocols, in the order of the help. No other code of the product names one.
var protocols = wire.Registry{
	&fg1.Scheme,
	&tcp.Scheme,
	&ws.Scheme,
	&nsq.Scheme,
}

// sinks are all kinds of sinks, in the order of the help. No other code of the product names one.
var sinks = sink.Registry{
	exec.Kind,
	filesink.Kind,
	stdout.Kind,
	httpsink.Kind,
	discard.Kind,
	spin.Kind,
	kafka.Kind,
}
