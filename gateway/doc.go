// Package gateway connects to a feed server, distributes its messages to workers, and acknowledges
// each message once it is done.
//
// A [Gateway] has one connection, its event loop and its workers. [Config] has the settings of the
// command feedgate run. Its Protocol is a value such as fg1.Protocol of package
// feedgate/gateway/wire/fg1. Its Sink, of package feedgate/worker, handles the messages:
//
//	g, err := gateway.New(gateway.Config{Protocol: fg1.Protocol{}, Hosts: hosts, Sink: worker.Each(handle)})
//	...
//	err = g.Run(ctx) // drains when ctx is cancelled
//
// Package feedgate/gateway/admin exports the counters to Prometheus and serves /ready. Package
// gateway builds on Linux only. docs/design.md describes how it works.
package gateway
