package nsqlookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSilence: a server that does not answer is given up, after no longer than the caller wants
// to wait.
func TestSilence(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	var log bytes.Buffer
	l := lookup(t, &log, server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	none := func(nsqds []string) { t.Errorf("found %q", nsqds) }
	if err := l.Poll(ctx, none); !errors.Is(err, context.Canceled) || log.Len() > 0 {
		t.Errorf("%v, logged %q", err, &log)
	}
	l.timeout = 50 * time.Millisecond
	if err := l.Poll(t.Context(), none); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(log.String(), "does not answer") {
		t.Errorf("%v, logged %q", err, &log)
	}
}

// TestSlowServer: answers are reported while another is awaited, each list once. Until it
// answers, the slow server's last list is valid.
func TestSlowServer(t *testing.T) {
	var quick, slow script
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	var hangs atomic.Bool
	first := serve(t, quick.answer)
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-release
		}
		slow.answer(w, r)
	})
	t.Cleanup(free) // before the servers' ends
	var log bytes.Buffer
	l := lookup(t, &log, first.Listener.Addr().String(), second.Listener.Addr().String())
	quick.lists()
	slow.lists("y")
	polls(t, l, "y:1")

	hangs.Store(true)
	quick.lists("x")
	slow.lists("x", "z")
	found := make(chan []string, 10)
	ended := make(chan error, 1)
	go func() { ended <- l.Poll(t.Context(), func(nsqds []string) { found <- nsqds }) }()
	next := func(want string) {
		t.Helper()
		select {
		case nsqds := <-found:
			if got := strings.Join(nsqds, " "); got != want {
				t.Errorf("found %q, not %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%q is not found within %v", want, patience)
		}
	}
	next("x:1 y:1")
	free()
	next("x:1 z:1")
	if err := <-ended; err != nil || len(found) > 0 || log.Len() > 0 {
		t.Errorf("%v, %d lists more, logged %q", err, len(found), &log)
	}
}

// TestSlowFirstAnswer: an empty list is reported only once all servers have answered or timed
// out.
func TestSlowFirstAnswer(t *testing.T) {
	var quick script
	quick.lists()
	answered := make(chan struct{})
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		quick.answer(w, r)
		close(answered)
	})
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-answered
		fmt.Fprint(w, producers("a"))
	})
	var log bytes.Buffer
	l := lookup(t, &log, first.Listener.Addr().String(), second.Listener.Addr().String())
	lists := 0
	err := l.Poll(t.Context(), func(nsqds []string) {
		if lists++; !slices.Equal(nsqds, []string{"a:1"}) {
			t.Errorf("found %q", nsqds)
		}
	})
	if err != nil || lists != 1 || log.Len() > 0 {
		t.Errorf("%v, %d lists, logged %q", err, lists, &log)
	}
}
