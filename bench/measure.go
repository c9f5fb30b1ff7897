package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"feedgate/bench/client"
)

// sample is one run of one subject.
type sample struct {
	served
	own      client.Outcome // reported by the subject's process
	seconds  float64        // from the order to begin to the outcome
	syscalls *float64       // total; nil: not counted
	fault    string         // why the run is invalid; empty: it is valid
}

// grace is how long a process may take to start, to end or to answer.
const grace = 10 * time.Second

// measure runs a subject once. An error ends the harness; a failure of the subject is in the
// sample's fault.
func (h *harness) measure(ctx context.Context, c *contender, l load, warm bool) (sample, error) {
	what := order{
		Keys: h.cfg.Keys, KeyForm: h.cfg.KeyForm,
		Protocol: c.Protocol, Size: l.size, Rate: h.cfg.Rate,
		Count: h.cfg.Msgs, Duration: h.cfg.Duration, Patience: h.cfg.Patience,
	}
	if strings.HasSuffix(c.Protocol, secured) {
		what.Certificate = h.certificate
	}
	if warm && (what.Duration == 0 || what.Duration > warmUp) {
		what.Duration = warmUp
	}
	to, err := h.goalOf(ctx, c.Subject)
	if err != nil {
		return sample{}, err
	}
	sm, err := h.measureInto(ctx, c, l, what, to.url, warm)
	n, counted, endErr := to.end()
	if err = errors.Join(err, endErr); err != nil {
		return sample{}, err
	}
	if c.Protocol == unacked {
		sm.countUnacked()
	}
	if counted && sm.fault == "" && n != sm.Acknowledged {
		sm.fault = fmt.Sprintf("%d messages are at the destination, and %d were acknowledged", n, sm.Acknowledged)
	}
	return sm, nil
}

// measureInto is measure with a destination, which may be empty.
func (h *harness) measureInto(ctx context.Context, c *contender, l load, what order, to string, warm bool) (sample, error) {
	feed := h.feeds[originArg(c.Protocol)]
	addr, err := feed.serve(ctx, what)
	if err != nil {
		return sample{}, err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan sample, 1)
	go func() {
		sm, err := h.client(running, c.command(&h.cfg, l, addr, to), warm)
		if err != nil {
			sm.fault = strings.ReplaceAll(err.Error(), "\n", ": ")
			_ = feed.send(order{Stop: true}) // if the feed has ended, report notices
		}
		ended <- sm
	}()
	report, err := h.report(ctx, feed)
	if err != nil || report.GaveUp {
		stop(errStuck)
	}
	var sm sample
	select {
	case sm = <-ended:
	case <-time.After(grace):
		stop(fmt.Errorf("did not end within %v of the feed", grace))
		sm = <-ended
	}
	if err != nil {
		return sample{}, err
	}
	sm.served = *report
	return sm, nil
}

// countUnacked takes the client's count for the acks that its protocol does not have, and its time, from
// the order to begin to the outcome.
func (sm *sample) countUnacked() {
	sm.Acknowledged = min(sm.own.Messages, sm.Sent)
	sm.Missing = sm.Sent - sm.Acknowledged
	sm.Unknown = sm.own.Messages - sm.Acknowledged
	sm.Seconds = sm.seconds
	if sm.MsgsPerS = 0; sm.seconds > 0 {
		sm.MsgsPerS = float64(sm.Acknowledged) / sm.seconds
	}
}

var errStuck = errors.New("stopped: no progress")

// report waits for the feed's report on a run.
func (h *harness) report(ctx context.Context, feed origin) (*served, error) {
	for {
		var n notice
		if err := feed.receive(ctx, &n); err != nil {
			return nil, feed.endError(err)
		}
		if n.Report != nil {
			return n.Report, nil
		}
		h.watch.moved(n.Acknowledged)
	}
}

// client runs a subject's process to its end.
func (h *harness) client(ctx context.Context, args []string, count bool) (sm sample, err error) {
	var calls *syscalls
	release := func() {}
	if count && h.uncounted == nil {
		if calls, release, h.uncounted = watchSyscalls(); h.uncounted != nil {
			release = func() {}
		} else {
			defer calls.close()
		}
	}
	p, err := start(ctx, args, caVariable+"="+h.ca)
	release()
	if err != nil {
		return sm, err
	}
	if err := begin(ctx, p); err != nil {
		p.kill()
		return sm, errors.Join(err, p.wait())
	}
	var before uint64
	if calls != nil {
		before, h.uncounted = calls.count()
	}
	begun := time.Now()
	if _, err := p.stdin.Write([]byte("go\n")); err != nil {
		p.kill()
		return sm, errors.Join(err, p.wait())
	}
	receiveErr := p.receive(ctx, &sm.own)
	sm.seconds = time.Since(begun).Seconds()
	if receiveErr != nil {
		p.kill()
	}
	if err := p.wait(); err != nil || receiveErr != nil {
		return sm, errors.Join(receiveErr, err)
	}
	if sm.own.Messages == 0 { // the feed may still wait for it
		return sm, errors.New("ended without a message")
	}
	if calls != nil && h.uncounted == nil {
		after, err := calls.count()
		if h.uncounted = err; err == nil {
			n := float64(after - before)
			sm.syscalls = &n
		}
	}
	return sm, nil
}

// begin waits until the process is ready.
func begin(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, grace, fmt.Errorf("not ready after %v", grace))
	defer cancel()
	var state struct {
		Ready bool `json:"ready"`
	}
	if err := p.receive(ctx, &state); err != nil {
		return err
	}
	if !state.Ready {
		return errors.New("did not report that it is ready")
	}
	return nil
}
