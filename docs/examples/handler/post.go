package handler

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"feedgate/worker"
)

// Post returns a sink that posts messages without line feeds to a web server, up to 500 in a request,
// one per line. While the server is away or busy, or does not know us, they stay unacknowledged. If
// it refuses the contents, all messages of the request are refused; docs/examples/post finds the one
// at fault instead.
func Post(url string) worker.Sink {
	client := &http.Client{Timeout: 10 * time.Second}
	return worker.Batches(500, 10*time.Millisecond, func(ctx context.Context, msgs []worker.Message) []error {
		err := post(ctx, client, url, msgs)
		if err == nil {
			return nil // all are done
		}
		return slices.Repeat([]error{err}, len(msgs))
	})
}

func post(ctx context.Context, client *http.Client, url string, msgs []worker.Message) error {
	var body bytes.Buffer // a copy: the client may read it after Do has returned
	for _, m := range msgs {
		body.Write(m.Data)
		body.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, &body)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", worker.Again(time.Second), err)
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return worker.Refuse(worker.BadRequest)
	}
	return worker.Again(time.Second)
}
