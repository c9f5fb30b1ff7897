package gateway

import (
	"errors"
	"net"
	"testing"

	"feedgate/worker"
	"feedgate/worker/testkit"
)

// TestErrorsOfRun: errors.Is distinguishes the reasons why Run failed.
func TestErrorsOfRun(t *testing.T) {
	// serve answers every connection with answer and closes it after the gateway has closed its
	// side.
	serve := func(t *testing.T, answer []byte) string {
		ln := testkit.Listen(t)
		go func() {
			for {
				c, err := ln.AcceptTCP()
				if err != nil {
					return
				}
				_, _ = c.Write(answer)
				_ = c.CloseWrite()
				go func() {
					for b := make([]byte, 1024); err == nil; {
						_, err = c.Read(b)
					}
					_ = c.Close()
				}()
			}
		}()
		return ln.Addr().String()
	}
	closed := func(t *testing.T) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
	for name, c := range map[string]struct {
		cfg    func(t *testing.T) Config
		kind   error
		byFlag string // the error begins with it; empty: it names no flag
	}{
		"connect": {func(t *testing.T) Config {
			cfg := testConfig(t, "fg://"+closed(t), accept)
			cfg.ConnectAttempts = 2
			return cfg
		}, ErrConnect, "--connect-attempts: 2 consecutive"},
		"login": {func(t *testing.T) Config {
			bye := []byte{0, 0, 0, 12, 10, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0} // bad token
			return testConfig(t, "fg://"+serve(t, bye), accept)
		}, ErrLogin, ""},
		"truncated": {func(t *testing.T) Config {
			cfg := testConfig(t, "tcp://"+serve(t, []byte("\x00\x03abc\x00\x03a")), accept)
			setFlag(&cfg, "frame", "length:size=2")
			return cfg
		}, ErrTruncated, "--exit-on-close: "},
		"sink": {func(t *testing.T) Config {
			cfg := testConfig(t, "fg://"+closed(t), accept)
			failed := make(chan struct{})
			close(failed)
			cfg.Sink = brokenSink{cfg.Sink, failed}
			return cfg
		}, errDiskFull, "--sink: disk full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := start(t, c.cfg(t)).wait()
			if !errors.Is(err, c.kind) || name == "sink" && !errors.Is(err, ErrSink) {
				t.Fatalf("error %v, not %v", err, c.kind)
			}
			if byFlag := ByFlag(err).Error(); len(byFlag) < len(c.byFlag) || byFlag[:len(c.byFlag)] != c.byFlag {
				t.Errorf("by flag: %s", byFlag)
			}
			for _, other := range []error{ErrConfig, ErrConnect, ErrLogin, ErrTruncated, ErrSink} {
				if name != "sink" && !errors.Is(c.kind, other) && errors.Is(err, other) {
					t.Errorf("%v is also %v", err, other)
				}
			}
		})
	}
}

var errDiskFull = errors.New("disk full")

// brokenSink has failed permanently.
type brokenSink struct {
	worker.Sink
	failed chan struct{}
}

func (s brokenSink) Failed() <-chan struct{} { return s.failed }
func (s brokenSink) Err() error              { return errDiskFull }
