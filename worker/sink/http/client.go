package httpsink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// client posts the batches of one worker, one at a time: one goroutine calls Send.
type client struct {
	set       *settings
	cfg       *sink.Config
	worker    int
	transport *http.Transport
	sink      *kit.Sink

	parts    [][]byte // of the latest batch; reused
	conflict conflict
	tooLarge int64 // size of the smallest body of several messages that was answered with 413; 0: none was
}

func newClient(set *settings, cfg *sink.Config, k *kit.Sink, worker int) *client {
	return &client{set: set, cfg: cfg, sink: k, worker: worker, transport: newTransport(&set.target, cfg, set.silence)}
}

// Send implements [kit.Client]. It returns when every message has an outcome.
func (c *client) Send(ctx context.Context, b *kit.Batch) {
	if c.collect(b); len(c.parts) == 0 {
		return // all were unfit
	}
	body := newContent(c.set.format, c.parts)
	if len(c.parts) > 1 && c.tooLarge != 0 && body.size >= c.tooLarge {
		b.Split(worker.Refused) // the server would ask for it
		return
	}
	heard := c.reportSilence(b)
	r := c.post(ctx, b, body)
	heard()
	defer r.end()
	if r.err == nil && r.StatusCode == http.StatusRequestEntityTooLarge && len(c.parts) > 1 {
		c.tooLarge = body.size
	}
	c.resolve(b, &r)
}

// collect collects the data of the messages, and resolves those that the format cannot have.
func (c *client) collect(b *kit.Batch) {
	c.parts = c.parts[:0]
	fits := c.set.format.fits
	for i := range b.Len() {
		data := b.At(i).Data
		if fits != nil && !fits(data) {
			c.sink.NoteRefusal(c.set.format.misfit)
			b.Resolve(i, 1, kit.Unfit(worker.BadRequest))
			continue
		}
		c.parts = append(c.parts, data)
	}
}

// reply is the end of a request: an answer, or an error.
type reply struct {
	*http.Response
	err error

	whole bool // the server may have the whole request
	again bool // the transport has sent the request more than once
	end   func()
}

// post sends a batch and waits for the head of the answer. After that, nothing reads the data of the
// messages.
func (c *client) post(ctx context.Context, b *kit.Batch, body *content) (r reply) {
	ctx, cancel := context.WithCancelCause(ctx)
	// It ends the request if the server neither takes a part of it nor answers, and later the reading of
	// the answer's body.
	timer := time.AfterFunc(c.set.answer, func() { cancel(errNoAnswer) })
	moved := func() { timer.Reset(c.set.answer) }
	var used *conn // the latest connection
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		used = info.Conn.(*conn)
		used.moved.Store(&moved)
	}})
	resp, err := c.transport.RoundTrip(c.request(traced, b, body))
	r = reply{Response: resp}
	r.whole, r.again = body.release()
	if used != nil {
		used.moved.Store(nil)
		r.whole = r.whole && !used.cut.Load()
	}
	switch {
	case used != nil && used.early():
		r.err = fmt.Errorf("%s: %w", c.set.address, errEarly) // whatever the answer is
	case err != nil:
		r.err = c.fault(ctx, err)
	case resp.ProtoMajor != 1:
		r.err = c.fault(ctx, errNotHTTP)
	}
	r.end = func() {
		if resp != nil {
			if timer.Reset(drainTimeout); resp.StatusCode != http.StatusSwitchingProtocols { // it has no end
				_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // an error ends the connection
			}
			_ = resp.Body.Close()
		}
		timer.Stop()
		cancel(nil)
	}
	return r
}

// reportSilence makes the sink not ready if heard is not called within --connect-timeout. The request goes on.
func (c *client) reportSilence(b *kit.Batch) (heard func()) {
	reported := make(chan struct{})
	timer := time.AfterFunc(c.cfg.ConnectTimeout, func() {
		defer close(reported)
		b.Waits(fmt.Errorf("%s has not answered for more than %v", c.set.address, c.cfg.ConnectTimeout))
	})
	return func() {
		if !timer.Stop() {
			<-reported // so that it does not report an old request later
		}
	}
}

// request makes the request for a batch. Its Idempotency-Key is a string of RFC 9651, as the draft
// draft-ietf-httpapi-idempotency-key-header has it. With this header, the transport also sends the
// request again if the server has closed a connection that was idle.
func (c *client) request(ctx context.Context, b *kit.Batch, body *content) *http.Request {
	req := &http.Request{
		Method: http.MethodPost, URL: c.set.post, Host: c.set.post.Host, Header: make(http.Header, 8),
		ContentLength: body.size, GetBody: body.reader,
	}
	req.Body, _ = body.reader() // never an error
	c.set.login.set(req, c.set.format, c.cfg)
	req.Header.Set("Idempotency-Key", fmt.Sprintf(`"%s-%d-%d"`, c.set.run, c.worker, b.ID))
	return req.WithContext(ctx)
}

var (
	errNoAnswer = errors.New("no answer")
	errNotHTTP  = fmt.Errorf("the answer is not HTTP/1.1, or its head is longer than %d KiB; see the URL's scheme", maxHead>>10)
	errEnded    = errors.New("the server closed the connection without an answer")
	errHello    = fmt.Errorf("%w; a port with TLS may do that, see the URL's scheme", errEnded)
	errEarly    = errors.New("the server sent something before it had a request, which confirms nothing")
)

// fault returns the error of a request for people. It does not quote the server, which may repeat
// messages or secrets.
func (c *client) fault(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) == errNoAnswer:
		err = fmt.Errorf("%w within %v", errNoAnswer, c.set.answer)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		if err = errEnded; !c.set.secure && !c.sink.Accepted() {
			err = errHello
		}
	case !isNetwork(err) && !credential.Wrong(err) && ctx.Err() == nil:
		err = errNotHTTP
	}
	return fmt.Errorf("%s: %w", c.set.address, err)
}

// Close implements [kit.Client]. Every Send has ended its request, and released its body.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
