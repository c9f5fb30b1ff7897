package baselines

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"feedgate/gateway/wire/fg1"
)

// PostEach is [Channels], except that a worker posts each message to a web server, and acks it after
// the answer. The connections of its http.Client are kept alive. to is http://HOST:PORT/PATH.
func PostEach(to string) Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = workers
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		w := worker{held: 1, run: func(q *queue, replies chan<- reply) error {
			for m := range q.messages {
				work(m.data)
				if err := post(ctx, client, to, m.data); err != nil {
					return err
				}
				replies <- reply{fg1.Ack, m.seq}
			}
			return nil
		}}
		return channels(ctx, addr, "http-single", workers, w, readChannels)
	}
}

// post posts a message. Afterwards nothing reads it.
func post(ctx context.Context, client *http.Client, to string, msg []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(msg))
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", to, answer.Status)
	}
	return nil
}
