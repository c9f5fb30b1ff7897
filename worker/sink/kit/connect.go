package kit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrDenied is in an error of Config.Connect if the server's answer is a fault of the settings:
// no such topic, not allowed. Trying again is no use, and the sink fails.
var ErrDenied = errors.New("denied")

// errConnecting is what is missing before the first contact has succeeded or failed.
var errConnecting = errors.New("not connected to the sink's server yet")

// Start is that of [sink.Sink]: it makes the first contact, and waits until it has succeeded or
// failed. A server that cannot be reached is tried again in the background; a fault of the
// settings is returned.
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

// connect starts the goroutine that makes the first contact, if one is asked for. Its senders
// wait until it has succeeded.
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
			if err == nil {
				s.connectedNow(attempt)
			} else if errors.Is(err, ErrDenied) {
				s.Fail(err)
			}
			if s.setUnreachable(err); attempt == 1 {
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

// tryConnect makes the first contact once, within --connect-timeout.
func (s *Sink) tryConnect() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.common.ConnectTimeout)
	defer cancel()
	err := s.cfg.Connect(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.Is(err, ErrDenied) {
		return fmt.Errorf("no answer within --connect-timeout, %v", s.common.ConnectTimeout)
	}
	return err
}

// connectedNow lets the senders go on.
func (s *Sink) connectedNow(attempt int) {
	s.connected.Store(true)
	if attempt > 1 {
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

// SetDown notes why the client of a worker has no connection, or nil as soon as it has one
// again. Meanwhile the sink is not ready, also when there is no message to fail. The client
// calls it, on any goroutine.
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
		s.log.lost.Add("worker", worker, "error", why)
	case why == nil && was:
		s.log.back.Add("worker", worker)
	}
}
