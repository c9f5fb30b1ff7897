package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/cmd/feedgate/cli"
)

// output is a buffer that closes seen once it contains the text want. Any goroutine may use it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen chan struct{}
}

func newOutput(want string) *output { return &output{want: want, seen: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := strings.Contains(o.text.String(), o.want)
	o.text.Write(b)
	if !before && strings.Contains(o.text.String(), o.want) {
		close(o.seen)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func TestDemo(t *testing.T) {
	var stdout bytes.Buffer
	stderr := newOutput("acked")
	if status := run([]string{"demo", "--duration=1s"}, &stdout, stderr); status != cli.ExitOK {
		t.Fatalf("status %d, standard error\n%s", status, stderr.String())
	}
	for _, want := range []string{
		`(?m)^[0-9,]{3,} messages in \d\.\d s: [0-9,]{3,} messages/s, \d+ MB/s$`,
		`(?m)^each acknowledged exactly once: 0 missing, 0 duplicate, 0 unknown acks, `,
		`(?m)^ack latency at full speed: p50 \d+\.\d\d ms, p99 `,
		`(?m)^system calls of the gateway: one recv per [0-9,]+ messages, one sendmmsg per [0-9,]+ acks, `,
		`(?m)^What to try next:\n  \S+ feed `,
	} {
		if !regexp.MustCompile(want).MatchString(stdout.String()) {
			t.Errorf("no %s in\n%s", want, stdout.String())
		}
	}
	if strings.Contains(stderr.String(), "level=") {
		t.Errorf("it logs warnings:\n%s", stderr.String())
	}
}

// TestDemoNext: the command line accepts what the demo proposes.
func TestDemoNext(t *testing.T) {
	for _, c := range demoNext {
		g := &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()}
		if _, err := parse(strings.Fields(c.args), g); err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

// TestDemoStopped ends a demo early.
func TestDemoStopped(t *testing.T) {
	var stdout bytes.Buffer
	stderr := newOutput("acked")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		demo := demoCmd{Duration: cli.Period(time.Hour)}
		ended <- demo.Run(ctx, &globals{stdout: &stdout, stderr: stderr})
	}()
	<-stderr.seen
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(stdout.String(), "\neach acknowledged exactly once") {
		t.Errorf("standard output\n%s", stdout.String())
	}
	if !regexp.MustCompile(`(?m)^ +\d\.\ds +[0-9,]+ msg/s +[0-9,]+ in flight +[0-9,]+ acked  p99 \d+\.\d\d ms$`).MatchString(stderr.String()) {
		t.Errorf("standard error\n%s", stderr.String())
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
