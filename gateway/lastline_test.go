package gateway

import (
	"net"
	"testing"
)

// TestLastLineIsHandled: what the end of the stream completes is handed to a worker before
// the connection ends, though nothing else is in work.
func TestLastLineIsHandled(t *testing.T) {
	for range 20 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(t, "tcp://"+ln.Addr().String(), accept)
		cfg.Frame, cfg.ExitOnClose = "line", true
		r := start(t, cfg)
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		if _, err := conn.Write([]byte("one\ntwo\n")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return r.g.Stats().Messages.Load() == 2 })
		if _, err := conn.Write([]byte("three")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return r.g.Stats().ReadBytes.Load() == 13 })
		conn.Close()
		if err := r.wait(); err != nil || r.g.Stats().Messages.Load() != 3 {
			t.Fatalf("%d messages, want 3; %v", r.g.Stats().Messages.Load(), err)
		}
	}
}
