package nsqtest

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// Lookupd is a process of nsqlookupd. It forgets everything with its end. An nsqd finds
// that out, connects and registers again within 30 s, by its heartbeats; or sooner, by
// the first and the second new topic or channel that it has to announce.
type Lookupd struct{ *Process }

// StartLookupd starts an nsqlookupd with flags beside its addresses. An nsqd registers
// with it by the flag that Flag returns.
func StartLookupd(t testing.TB, flags ...string) *Lookupd {
	t.Helper()
	return &Lookupd{launch(t, "nsqlookupd", flags)}
}

// Flag is the flag of an nsqd that is to register.
func (l *Lookupd) Flag() string { return "--lookupd-tcp-address=" + l.TCP }

// Producers are the TCP addresses of those that have the topic.
func (l *Lookupd) Producers(topic string) ([]string, error) {
	var answer struct {
		Producers []struct {
			Host string `json:"broadcast_address"`
			Port int    `json:"tcp_port"`
		} `json:"producers"`
	}
	err := l.call(http.MethodGet, "/lookup", url.Values{"topic": {topic}}, nil, &answer)
	if errors.Is(err, errUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range answer.Producers {
		all = append(all, p.Host+":"+strconv.Itoa(p.Port))
	}
	return all, nil
}

// Await waits until n nsqd have the topic.
func (l *Lookupd) Await(topic string, n int) {
	l.t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(pause) {
		producers, err := l.Producers(topic)
		if err != nil {
			l.t.Fatalf("awaiting producers of %q: %v", topic, err)
		}
		if len(producers) == n {
			return
		}
		if time.Now().After(limit) {
			l.t.Fatalf("not within %v: %d that have topic %q; at last %v", patience, n, topic, producers)
		}
	}
}
