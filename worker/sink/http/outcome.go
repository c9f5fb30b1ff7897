package httpsink

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/header"
	"feedgate/worker/sink/kit"
)

// resolve gives each message of a batch its outcome.
func (c *client) resolve(b *kit.Batch, r *reply) {
	if r.err != nil {
		if credential.Wrong(r.err) {
			b.ResolveAll(kit.Denied(r.err))
		} else {
			b.ResolveAll(kit.Again(0, r.err))
		}
		return
	}
	status := r.StatusCode
	answer := fmt.Errorf("%s: the server answered %s", c.set.address, statusText(status))
	switch meaning := meaningOf(status); {
	case meaning == stored && !r.whole:
		b.ResolveAll(kit.Again(0, fmt.Errorf("%w before it had the whole request", answer)))
	case meaning == stored:
		b.ResolveAll(kit.Done())
	case meaning == wrong:
		b.ResolveAll(kit.Denied(fmt.Errorf("%w; %s", answer, advice(status))))
	case meaning == unfit && !c.mayWait(b, r):
		if len(c.parts) == 1 {
			c.sink.NoteRefusal(answer)
		}
		b.Split(worker.Refused)
	default:
		b.ResolveAll(kit.Again(wait(r.Header), answer))
	}
}

// meaning is what a status says about the messages of a request.
type meaning int

const (
	later  meaning = iota // not now, or nothing is known
	stored                // the server has them
	wrong                 // it takes no messages from us
	unfit                 // some of them are at fault
)

// meaningOf returns the meaning of a status.
func meaningOf(status int) meaning {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return later
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusLengthRequired, http.StatusUnsupportedMediaType:
		return wrong
	}
	switch status / 100 {
	case 2:
		return stored
	case 3:
		return wrong
	case 4:
		return unfit
	}
	return later
}

// advice returns what may help against an answer that means wrong.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "see --sink-user, --sink-password-file and " + headerFlag
	case http.StatusNotFound:
		return "see the path in the URL"
	case http.StatusMethodNotAllowed:
		return "it takes no POST there; see the path in the URL"
	case http.StatusLengthRequired:
		return "it does not see the Content-Length, which was sent; see the URL"
	case http.StatusUnsupportedMediaType:
		return "see format= in the URL, and " + headerFlag + " 'Content-Type: TYPE'"
	}
	return "a redirect is not followed; the URL must name its target"
}

// statusText returns a status with its usual name. The server's own text is not shown: it may repeat
// messages or secrets.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprint(status)
}

// wait returns how long the server asks to wait; 0 if it does not.
func wait(h http.Header) time.Duration {
	d, at := header.RetryAfter(h)
	if !at.IsZero() {
		d = time.Until(at)
	}
	return max(0, d)
}

// conflict is a batch that was answered with 409 after it had been sent before.
type conflict struct {
	id    uint64
	since time.Time
}

// mayWait reports whether an answer that refuses a batch may be about an earlier copy rather than the
// messages, so that the batch is sent again. A server that remembers keys answers 409 while it still
// processes the first copy (draft-ietf-httpapi-idempotency-key-header, section 2.6). If that takes
// longer than an answer may, the 409 means something else.
func (c *client) mayWait(b *kit.Batch, r *reply) bool {
	if r.StatusCode != http.StatusConflict || b.Attempt == 1 && !r.again {
		return false
	}
	if c.conflict.id != b.ID {
		c.conflict = conflict{b.ID, time.Now()}
	}
	return time.Since(c.conflict.since) < c.set.answer
}

// isNetwork reports whether an error is of the network, so that its text is the system's.
func isNetwork(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var errno syscall.Errno
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &errno) || errors.Is(err, errConnect) || errors.Is(err, errHandshake) ||
		errors.Is(err, net.ErrClosed)
}
