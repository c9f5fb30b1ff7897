// Package gateway connects to a feed server, gives its messages to workers, and acknowledges what
// they have done.
//
// A [Gateway] is one connection, its event loop and its workers. [Config] has the same settings as
// the flags of the command feedgate run. The protocol is a value, such as fg1.Protocol of package
// feedgate/gateway/wire/fg1; what workers do is a sink of package feedgate/worker:
//
//	g, err := gateway.New(gateway.Config{Protocol: fg1.Protocol{}, Hosts: hosts, Sink: worker.Each(handle)})
//	...
//	err = g.Run(ctx) // until ctx ends: then it drains
//
// Package feedgate/gateway/admin exports counters to Prometheus and answers /ready. This package
// builds on Linux only. docs/design.md describes how it works.
package gateway
