package netpath

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestCutFromDropsOneDirection: both directions work until one of them is cut.
func TestCutFromDropsOneDirection(t *testing.T) {
	p := New(t)
	address := net.JoinHostPort(p.Ends[1].Addr.String(), "7000")
	var ln net.Listener
	var a net.Conn
	p.Ends[1].Do(func() {
		var err error
		if ln, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
	})
	defer ln.Close()
	p.Ends[0].Do(func() {
		var err error
		if a, err = net.Dial("tcp", address); err != nil {
			t.Fatal(err)
		}
	})
	defer a.Close()
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pass(t, a, b)
	pass(t, b, a)
	p.CutFrom(0)
	pass(t, b, a)
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := b.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var one [1]byte
	if n, err := b.Read(one[:]); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v, although the path is cut", n, err)
	}
}

func pass(t *testing.T, from, to net.Conn) {
	t.Helper()
	if _, err := from.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := to.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var one [1]byte
	if _, err := io.ReadFull(to, one[:]); err != nil {
		t.Fatal(err)
	}
}

// TestEndReachesOnlyTheOtherEnd: the test's own loopback, for one, is unreachable.
func TestEndReachesOnlyTheOtherEnd(t *testing.T) {
	p := New(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p.Ends[0].Do(func() {
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			c.Close()
			t.Error("connected to the test's own loopback")
		}
	})
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("after Do: %v", err)
	}
	c.Close()
}
