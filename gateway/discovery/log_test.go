package discovery

import (
	"bytes"
	"log/slog"
	"regexp"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/wire/nsq/nsqfake"
)

// lines counts lines by message and upstream. Any goroutine may write.
type lines struct {
	mu    sync.Mutex
	kinds map[string]int
}

var aboutRE = regexp.MustCompile(`msg=("[^"]*"|\S+).*?(upstream=\S+)`)

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if about := aboutRE.FindSubmatch(p); about != nil {
		l.kinds[string(bytes.Join(about[1:], []byte(" ")))]++
	}
	return len(p), nil
}

// TestFlappingIsOneLineASecond: an nsqd that is listed and removed, and an nsqlookupd that
// answers and fails, many times a second, cause one line of each kind per second.
func TestFlappingIsOneLineASecond(t *testing.T) {
	l := nsqfake.StartLookupd(t)
	const away = "127.0.0.1:1" // nothing listens here, because a connected server would be kept
	log := &lines{kinds: make(map[string]int)}
	began := time.Now()
	r := start(t, done(), func(c *Config) {
		c.Interval = time.Millisecond
		c.Gateway.ReconnectMax = time.Millisecond
		c.Gateway.Log = slog.New(slog.NewTextHandler(log, nil))
	}, l)
	for range 50 {
		l.List(away)
		r.polled(l)
		l.Fail(true)
		r.polled(l)
		l.Fail(false)
		l.List()
		r.polled(l)
	}
	r.drain()
	if err := r.end(); err != nil {
		t.Error(err)
	}
	most := 2 + int(time.Since(began)/time.Second)
	for about, n := range log.kinds {
		if n > most+1 { // pending lines are logged at the end
			t.Errorf("%d lines in %v: %s", n, time.Since(began), about)
		}
	}
	if len(log.kinds) < 5 {
		t.Errorf("lines of %d kinds only: %v", len(log.kinds), log.kinds)
	}
}
