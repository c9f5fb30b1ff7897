// Package nsqfake has fakes for tests of discovery: an nsqlookupd whose list the test sets, and
// an nsqd that is just complete enough to log in to.
package nsqfake

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Lookupd is an nsqlookupd, which knows no topic at first. Any goroutine may call its methods.
type Lookupd struct {
	server *httptest.Server

	mu    sync.Mutex
	nsqds []string
	fails bool
	polls int
}

// StartLookupd starts one. It stops when the test ends.
func StartLookupd(t testing.TB) *Lookupd {
	l := new(Lookupd)
	l.server = httptest.NewServer(http.HandlerFunc(l.answer))
	t.Cleanup(l.server.Close)
	return l
}

// Addr returns HOST:PORT.
func (l *Lookupd) Addr() string { return strings.TrimPrefix(l.server.URL, "http://") }

// List sets the nsqds, each HOST:PORT, that have every topic.
func (l *Lookupd) List(nsqds ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nsqds = nsqds
}

// Fail makes it answer with status 500, or stop doing so.
func (l *Lookupd) Fail(fails bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = fails
}

// Polls returns how many requests it has begun to answer.
func (l *Lookupd) Polls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.polls
}

func (l *Lookupd) answer(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	nsqds, fails := l.nsqds, l.fails
	l.polls++
	l.mu.Unlock()
	switch {
	case fails:
		http.Error(w, `{"message":"INTERNAL_ERROR"}`, http.StatusInternalServerError)
	case r.URL.Path != "/lookup" || r.URL.Query().Get("topic") == "":
		http.Error(w, `{"message":"NOT_FOUND"}`, http.StatusNotFound)
	case len(nsqds) == 0:
		http.Error(w, `{"message":"TOPIC_NOT_FOUND"}`, http.StatusNotFound)
	default:
		w.Write(Answer(nsqds...))
	}
}

// Answer returns the answer of an nsqlookupd of nsq 1.0 or later if nsqds, each HOST:PORT, have
// the topic.
func Answer(nsqds ...string) []byte {
	producers := []map[string]any{}
	for _, addr := range nsqds {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			panic(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			panic(err)
		}
		producers = append(producers, map[string]any{
			"remote_address": "10.0.0.1:50000", "hostname": "elsewhere", "broadcast_address": host,
			"tcp_port": n, "http_port": 4151, "version": "1.3.0",
		})
	}
	body, err := json.Marshal(map[string]any{"channels": []string{}, "producers": producers})
	if err != nil {
		panic(err) // maps and strings only
	}
	return body
}
