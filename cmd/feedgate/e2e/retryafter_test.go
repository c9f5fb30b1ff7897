package e2e

import (
	"syscall"
	"testing"
	"time"
)

// TestRetryAfterKeepsTheBackoff: Retry-After: 0 does not disable it.
func TestRetryAfterKeepsTheBackoff(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string]string{
		"0": "Retry-After: 0\r\n", "a past date": "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--reconnect-max=2s")
			_, first := answerWS(t, ln, status("429 Too Many Requests", headers))
			var last time.Time
			for range 13 { // the last six waits are random, from 10 ms to 2 s
				_, last = answerWS(t, ln, status("429 Too Many Requests", headers))
			}
			if took := last.Sub(first); took < time.Second {
				t.Errorf("14 dials within %v", took)
			}
			p.signal(syscall.SIGTERM)
			p.exit(0)
		})
	}
}

// TestHugeRetryAfterIsALongWait: even if it overflows.
func TestHugeRetryAfterIsALongWait(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--reconnect-max=2s")
	_, sent := answerWS(t, ln, status("503 Service Unavailable", "Retry-After: 99999999999999999999999\r\n"))
	acceptWS(t, ln, "").hangUp()
	if waited := time.Since(sent); waited < 2*time.Second {
		t.Errorf("reconnected after %v", waited)
	}
	p.signal(syscall.SIGTERM)
	p.exit(0)
}
