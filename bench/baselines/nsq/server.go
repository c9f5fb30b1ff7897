package nsq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nsqio/nsq/nsqd"

	"feedgate/cmd/feedgate/feedserver"
)

const (
	// name is the topic and the channel.
	name = "bench"
	// pollInterval is how often the server reads nsqd's statistics.
	pollInterval = time.Millisecond
	// defaultCount is the number of messages for a run limited by time only: three times what nsqd
	// delivers in two seconds, the default.
	defaultCount = 2_000_000
)

// Config configures a Server.
type Config struct {
	Count    uint64        // messages; default 2,000,000
	Size     int           // bytes of each
	Duration time.Duration // how long messages are sent, from the first one on; 0: until all are finished
}

// Server is an nsqd in this process for one client. Its channel is filled before it listens. New
// starts it, Close ends it; Wait is called once.
type Server struct {
	cfg     Config
	nsqd    *nsqd.NSQD
	channel *nsqd.Channel
	errors  *errorLog
	ended   chan error // result of nsqd.Main
	closing sync.Once
	closed  error // result of Close

	mu    sync.Mutex
	tally tally
}

// New fills and starts a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Count == 0 {
		cfg.Count = defaultCount
	}
	s := &Server{cfg: cfg, errors: new(errorLog), ended: make(chan error, 1)}
	dir, err := os.MkdirTemp("", "feedgate-nsqd-")
	if err != nil {
		return nil, err
	}
	err = s.open(dir)
	// All messages are in memory. The directory is removed at once, so that it is not left if this
	// process is killed; nsqd only logs that it cannot write its list of topics.
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.nsqd.Main() }()
	return s, nil
}

// open creates an nsqd and fills it. The nsqd listens, but accepts no connection yet.
func (s *Server) open(dir string) (err error) {
	opts := nsqd.NewOptions()
	opts.TCPAddress, opts.HTTPAddress, opts.BroadcastAddress = "127.0.0.1:0", "", "127.0.0.1"
	opts.DataPath, opts.MemQueueSize = dir, int64(s.cfg.Count)
	opts.Logger, opts.LogLevel = s.errors, nsqd.LOG_ERROR
	if s.nsqd, err = nsqd.New(opts); err != nil {
		return fmt.Errorf("nsqd: %w", err)
	}
	s.channel = s.nsqd.GetTopic(name).GetChannel(name)
	body := bytes.Repeat([]byte{'x'}, s.cfg.Size)
	var id nsqd.MessageID
	var digits []byte
	for n := range s.cfg.Count {
		digits = fmt.Appendf(digits[:0], "%016x", n)
		copy(id[:], digits)
		if err := s.channel.PutMessage(nsqd.NewMessage(id, body)); err != nil {
			s.nsqd.Exit()
			return fmt.Errorf("filling nsqd: %w", err)
		}
	}
	return nil
}

// Addr returns the address on which nsqd listens.
func (s *Server) Addr() net.Addr { return s.nsqd.RealTCPAddr() }

// Wait waits until every message is finished, or after Duration every message that was sent, or
// until ctx ends. Its error reports faults that are in no count.
func (s *Server) Wait(ctx context.Context) (feedserver.Report, error) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	paused, quiet := false, false
	for {
		t := s.update()
		switch {
		case t.finished >= s.cfg.Count:
			return s.Report(), t.err()
		case s.cfg.Duration > 0 && !paused && t.seconds(time.Now()) >= s.cfg.Duration.Seconds():
			paused = true
			_ = s.channel.Pause() // it has no error to return
		case paused && t.finished == t.sent && quiet:
			return s.Report(), t.err()
		}
		// When the channel is paused, a message may have left the queue and not be counted as sent yet.
		quiet = paused && t.finished == t.sent
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t := s.update()
			return s.Report(), t.err()
		}
	}
}

// update updates the tally from nsqd's statistics.
func (s *Server) update() tally {
	begun := time.Now()
	stats := s.nsqd.GetStats(name, name, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.take(stats.Topics[0].Channels[0], begun, time.Now())
	return s.tally
}

// Report returns the counts at Wait's last update.
func (s *Server) Report() feedserver.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.tally.counts(s.cfg)
	total.Duplicate, total.ProtocolErrors = s.errors.counts()
	return feedserver.Report{Protocol: "nsq", Total: total}
}

// Close ends nsqd, which closes its client's connection. It may be called again.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.closed = s.channel.Empty() // otherwise Exit would save the rest
		s.nsqd.Exit()
		if end := <-s.ended; end != nil {
			s.closed = fmt.Errorf("nsqd: %w", end)
		}
	})
	return s.closed
}
