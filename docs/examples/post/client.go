package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// client posts the batches of one worker.
type client struct {
	url, contentType string
	cfg              *sink.Config
	http             http.Client
}

// requestTimeout limits a request: a server that never answers counts as away.
const requestTimeout = 30 * time.Second

func newClient(url, contentType string, cfg *sink.Config) *client {
	return &client{url: url, contentType: contentType, cfg: cfg, http: http.Client{
		Timeout:       requestTimeout,
		Transport:     transport(cfg),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send implements [kit.Client]. It returns when every message has an outcome.
func (c *client) Send(ctx context.Context, b *kit.Batch) {
	var body bytes.Buffer // a copy: the transport may read it after Do has returned
	for i := range b.Len() {
		data := b.At(i).Data
		if bytes.IndexByte(data, '\n') >= 0 {
			b.Resolve(i, 1, kit.Unfit(worker.BadRequest)) // it would be two lines
			continue
		}
		body.Write(data)
		body.WriteByte('\n')
	}
	if body.Len() == 0 {
		return // all were unfit
	}
	resp, err := c.post(ctx, &body)
	if err != nil {
		b.ResolveAll(kit.Again(0, err))
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be reused
	answer := fmt.Errorf("the server answers %s", resp.Status)
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		b.ResolveAll(kit.Done())
	case code == http.StatusTooManyRequests || code >= 500:
		b.ResolveAll(kit.Again(retryAfter(resp), answer))
	case code < 400 || code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound:
		b.ResolveAll(kit.Denied(answer))
	default:
		b.Split(worker.Refused)
	}
}

// post reads the credentials at each request, because SIGHUP can replace them.
func (c *client) post(ctx context.Context, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return nil, errors.New("the URL is not well-formed")
	}
	req.Header.Set("Content-Type", c.contentType)
	if c.cfg.Password != nil {
		req.SetBasicAuth(c.cfg.User, string(c.cfg.Password.Bytes()))
	}
	return c.http.Do(req)
}

// retryAfter returns how long the server asks to wait; 0 if it does not.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// Close implements [kit.Client]. Bodies are copies, so nothing reads the messages any more.
func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
