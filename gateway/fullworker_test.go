package gateway

import (
	"net"
	"strings"
	"testing"

	"feedgate/worker"
	"feedgate/worker/testkit"
)

// TestCloseBehindFullWorker: if the server closes while the only worker is full with messages of
// an earlier connection, the gateway ends only after the last messages are handled. The end of the
// stream completes the very last one.
func TestCloseBehindFullWorker(t *testing.T) {
	ln := testkit.Listen(t)
	release := make(chan struct{})
	cfg := testConfig(t, "tcp://"+ln.Addr().String(), func(worker.Message) worker.Code { <-release; return worker.OK })
	cfg.ExitOnClose, cfg.Workers, cfg.InFlight = true, 1, 4
	setFlag(&cfg, "frame", "line")
	var log testkit.Log
	cfg.Log = log.Logger()
	r := start(t, cfg)
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte(strings.Repeat("held\n", 4))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().Messages.Load() == 4 })
	_ = first.(*net.TCPConn).SetLinger(0)
	first.Close()
	second, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	second.Close()
	waitFor(t, func() bool { return log.Has("server closed") })
	close(release)
	if err := r.wait(); err != nil || r.g.Stats().Messages.Load() != 5 {
		t.Fatalf("%d messages, want 5; %v", r.g.Stats().Messages.Load(), err)
	}
}
