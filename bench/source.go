package bench

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// origin is the harness's hold on a feed's process.
type origin struct{ *process }

// originArg is the argument of the process that serves a protocol. All runs of NSQ have one
// of their own: what nsqd leaves in memory is in nobody else's way.
func originArg(protocol string) string {
	if protocol == queued {
		return NsqdArg
	}
	return FeedArg
}

// preparing is how long a feed may take until its client can come: one that has its
// messages ready makes them first.
const preparing = time.Minute

// startOrigins starts every process that a contender needs, each once. end ends them.
func (h *harness) startOrigins(ctx context.Context, contenders []contender) (end func(), err error) {
	ctx, stop := context.WithCancel(ctx)
	h.feeds = make(map[string]origin)
	end = func() {
		defer stop()
		defer time.AfterFunc(grace, stop).Stop() // they end when they have no more orders
		for _, o := range h.feeds {
			_ = o.wait() // it has nothing to say any more that matters
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

// serve makes the feed ready for a run.
func (o origin) serve(ctx context.Context, what order) (addr string, err error) {
	if err := o.say(what); err != nil {
		return "", o.gone(err)
	}
	var n notice
	ctx, cancel := context.WithTimeoutCause(ctx, preparing, errors.New("the feed does not answer"))
	defer cancel()
	if err := o.hear(ctx, &n); err != nil {
		return "", o.gone(err)
	}
	return n.Addr, nil
}

// gone is the error of a feed that cannot be talked to any more, with how it ended
// if it has.
func (o origin) gone(err error) error {
	if errors.Is(err, errSilent) || errors.Is(err, syscall.EPIPE) {
		if end := o.wait(); end != nil {
			err = fmt.Errorf("%w: %w", err, end)
		}
	}
	return fmt.Errorf("feed: %w", err)
}
