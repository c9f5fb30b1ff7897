package nsqtest

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// Lookupd is an nsqlookupd process. It keeps no data across restarts. An nsqd notices a restart by
// its heartbeats and registers again within 30 s, or sooner: on its second new topic or channel.
type Lookupd struct{ *Process }

// StartLookupd starts an nsqlookupd with its addresses and additional flags. Pass Flag to nsqds that
// are to register with it.
func StartLookupd(t testing.TB, flags ...string) *Lookupd {
	t.Helper()
	return &Lookupd{launch(t, "nsqlookupd", flags)}
}

// Flag returns the flag for nsqds that are to register.
func (l *Lookupd) Flag() string { return "--lookupd-tcp-address=" + l.TCP }

// Producers returns the TCP addresses of the nsqds that have the topic.
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

// Await waits until n nsqds have the topic.
func (l *Lookupd) Await(topic string, n int) {
	l.t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(pause) {
		producers, err := l.Producers(topic)
		if err != nil {
			l.t.Fatalf("waiting for producers of %q: %v", topic, err)
		}
		if len(producers) == n {
			return
		}
		if time.Now().After(limit) {
			l.t.Fatalf("not within %v: %d producers of topic %q; the last were %v", patience, n, topic, producers)
		}
	}
}
