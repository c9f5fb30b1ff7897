package gateway_test

import (
	"context"
	"fmt"
	"net"

	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// A handler can be a function. The workers call it concurrently, and it returns the outcome of
// each message.
func Example() {
	server, err := feedserver.New(feedserver.Config{Count: 1000, Size: 32})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	g, err := gateway.New(gateway.Config{
		Protocol:    fg1.Protocol{},
		Hosts:       []string{server.Addr().(*net.TCPAddr).String()},
		Workers:     2,
		ExitOnClose: true,
		Sink: worker.Each(func(_ context.Context, m worker.Message) error {
			if len(m.Data) != 32 {
				return worker.Refuse(worker.BadRequest) // acked with this code
			}
			return nil // acked as done
		}),
	})
	if err != nil {
		fmt.Println(err) // all faults of the configuration
		return
	}
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Stats().Messages.Load(), "messages handled and acknowledged")
	// Output: 1000 messages handled and acknowledged
}
