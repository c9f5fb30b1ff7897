package kit_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// poster posts lines. It is the client of one worker.
type poster struct {
	url    string
	client http.Client
}

// Send blocks until the batch is resolved, so one batch per sender is on its way.
func (p *poster) Send(ctx context.Context, b *kit.Batch) {
	var body bytes.Buffer // a copy: the transport may read it after Do has returned
	for i := range b.Len() {
		body.Write(b.At(i).Data)
		body.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, &body)
	if err != nil {
		b.ResolveAll(kit.Again(0, err))
		return
	}
	resp, err := p.client.Do(req)
	if err != nil {
		b.ResolveAll(kit.Again(0, err))
		return
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < 300:
		b.ResolveAll(kit.Done())
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		b.ResolveAll(kit.Again(time.Second, fmt.Errorf("the server answers %s", resp.Status)))
	default:
		b.Split(worker.Refused)
	}
}

func (p *poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// A whole sink: a kind with its URL, and a client of the kit.
func ExampleOpen() {
	kind := sink.Kind{
		Schemes: []string{"post"},
		Form:    "post://HOST/PATH?linger=D",
		Help:    "posts each message as a line",
		Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
			server, err := u.Server(80, "linger")
			if err != nil {
				return sink.Target{}, err
			}
			var linger time.Duration
			if value := server.Query["linger"]; value != "" {
				if linger, err = time.ParseDuration(value); err != nil {
					return sink.Target{}, fmt.Errorf("linger=%s is not a duration such as 5ms", value)
				}
			}
			return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
				return kit.Open(kit.Config{
					Linger: linger,
					Open: func(*kit.Sink, int) (kit.Client, error) {
						return &poster{url: "http://" + server.Hosts[0] + server.Path}, nil
					},
				}, cfg), nil
			}}, nil
		},
	}
	sinks := sink.Registry{kind}
	fmt.Println(sinks.Help())
	_, err := sinks.Parse("--sink", "post://a/in?linger=soon", nil)
	fmt.Println(err)
	// Output:
	// post://HOST/PATH?linger=D posts each message as a line.
	// --sink "post://a/in": not a sink: linger=soon is not a duration such as 5ms
}
