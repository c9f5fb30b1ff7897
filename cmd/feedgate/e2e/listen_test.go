package e2e

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// listen listens on a loopback port. Its connections have a receive buffer of the given size, or the
// system's default if it is 0.
func listen(t *testing.T, receive int) *net.TCPListener {
	t.Helper()
	return listenAt(t, "127.0.0.1:0", receive)
}

func listenAt(t *testing.T, address string, receive int) *net.TCPListener {
	t.Helper()
	config := net.ListenConfig{}
	if receive > 0 {
		// Set before listening, so that the window is small from the first segment.
		config.Control = func(_, _ string, raw syscall.RawConn) error {
			var fault error
			err := raw.Control(func(fd uintptr) {
				fault = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
			})
			return errors.Join(err, fault)
		}
	}
	ln, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

// accept waits for the next connection, which is closed when the test ends.
func accept(t *testing.T, ln *net.TCPListener) *net.TCPConn {
	t.Helper()
	for limit := time.Now().Add(patience); ; {
		if err := ln.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		conn, err := ln.AcceptTCP()
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(limit) || allEnded(t) {
			t.Fatalf("waiting for the gateway to connect: %v; ended: %v", err, allEnded(t))
		}
	}
}
