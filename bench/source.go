package bench

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// origin is a feed's process.
type origin struct{ *process }

// originArg returns the argument of the process that serves a protocol. NSQ has its own process, so
// that nsqd's garbage does not affect other runs.
func originArg(protocol string) string {
	if protocol == queued {
		return NsqdArg
	}
	return FeedArg
}

// preparing is how long a feed may take until its client can connect. nsqd is first filled with all
// messages.
const preparing = time.Minute

// startOrigins starts each feed process that a contender needs, once. end ends them.
func (h *harness) startOrigins(ctx context.Context, contenders []contender) (end func(), err error) {
	ctx, stop := context.WithCancel(ctx)
	h.feeds = make(map[string]origin)
	end = func() {
		defer stop()
		defer time.AfterFunc(grace, stop).Stop() // they end when their standard input does
		for _, o := range h.feeds {
			_ = o.wait() // the measurements are complete, so its error does not matter
		}
	}
	for _, c := range contenders {
		arg := originArg(c.Protocol)
		if _, runs := h.feeds[arg]; runs {
			continue
		}
		p, err := start(ctx, []string{h.cfg.Self, arg})
		if err != nil {
			return end, fmt.Errorf("feed: %w", err)
		}
		h.feeds[arg] = origin{p}
	}
	return end, nil
}

// serve prepares the feed for a run.
func (o origin) serve(ctx context.Context, what order) (addr string, err error) {
	if err := o.send(what); err != nil {
		return "", o.endError(err)
	}
	var n notice
	ctx, cancel := context.WithTimeoutCause(ctx, preparing, errors.New("the feed does not answer"))
	defer cancel()
	if err := o.receive(ctx, &n); err != nil {
		return "", o.endError(err)
	}
	return n.Addr, nil
}

// endError returns the error of a feed that no longer answers. If the feed has ended, it includes
// the reason.
func (o origin) endError(err error) error {
	if errors.Is(err, errSilent) || errors.Is(err, syscall.EPIPE) {
		if end := o.wait(); end != nil {
			err = fmt.Errorf("%w: %w", err, end)
		}
	}
	return fmt.Errorf("feed: %w", err)
}
