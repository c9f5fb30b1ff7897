package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrDenied is for Config.Connect: an error that wraps it means that the settings are wrong, such
// as a topic that does not exist or may not be used. Connect is not called again, and the sink
// fails.
var ErrDenied = errors.New("denied")

// errConnecting is the reason not to be ready until Connect has returned once.
var errConnecting = errors.New("not connected to the sink's server yet")

// Start implements Start of [sink.Sink]: it calls Config.Connect, and waits for its result or for
// the end of ctx. A server that cannot be reached is tried again in the background, and is no
// error. An [ErrDenied] is returned.
func (s *Sink) Start(ctx context.Context, _ int) error {
	s.connectOnce.Do(s.connect)
	select {
	case <-s.tried:
	case <-ctx.Done():
		return nil
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w", s.common.Flag, err)
	}
	return nil
}

// connect starts the goroutine that calls Config.Connect, if there is one. The senders wait until
// that has succeeded.
func (s *Sink) connect() {
	if s.cfg.Connect == nil {
		s.connected.Store(true)
		close(s.tried)
		return
	}
	s.setUnreachable(errConnecting)
	s.ended.Go(func() {
		wait := s.common.NewBackoff()
		for attempt := 1; ; attempt++ {
			err := s.tryConnect()
			s.setUnreachable(err) // before the senders may send: /ready is never behind them
			if err == nil {
				s.setConnected(attempt)
			} else if errors.Is(err, ErrDenied) {
				s.Fail(err)
			}
			if attempt == 1 {
				close(s.tried)
			}
			if err == nil || errors.Is(err, ErrDenied) || s.ctx.Err() != nil {
				return
			}
			pause := wait.NextBackOff()
			s.log.unreachable.Add("error", err, "attempt", attempt, "retry_in", pause)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return
			}
		}
	})
}

// tryConnect calls Config.Connect once, with --connect-timeout.
func (s *Sink) tryConnect() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.common.ConnectTimeout)
	defer cancel()
	err := s.cfg.Connect(ctx)
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	if timedOut && ctx.Err() != nil && !errors.Is(err, ErrDenied) {
		return fmt.Errorf("no answer within --connect-timeout, %v", s.common.ConnectTimeout)
	}
	return err
}

// setConnected wakes the senders.
func (s *Sink) setConnected(attempt int) {
	s.connected.Store(true)
	if attempt > 1 {
		s.log.unreachable.Forget()
		s.common.Log.Info("connected to the sink's server", "attempts", attempt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.open {
		h.wake()
	}
}

func (s *Sink) setUnreachable(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreachable = err
}

// SetDown sets why a worker's client has no connection; nil as soon as it has one again. Until
// then, the sink is not ready, also while there are no messages. Clients call it, from any
// goroutine.
func (s *Sink) SetDown(worker int, why error) {
	s.mu.Lock()
	_, was := s.down[worker]
	if why == nil {
		delete(s.down, worker)
	} else {
		s.down[worker] = why
	}
	s.mu.Unlock()
	switch {
	case why != nil && !was:
		s.log.back.Forget()
		s.log.lost.Add("worker", worker, "error", why)
	case why == nil && was:
		s.log.lost.Forget()
		s.log.back.Add("worker", worker)
	}
}
