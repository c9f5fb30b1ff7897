// Package nsqlookup finds the nsqds that have a topic by asking nsqlookupds over HTTP:
// GET /lookup?topic=TOPIC, https://nsq.io/components/nsqlookupd.html.
package nsqlookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// MaxServers is the most nsqds that are used: each needs a gateway.
const MaxServers = 1024

// Config configures a Lookup.
type Config struct {
	Addrs   []string // of nsqlookupds, at least one; each HOST:PORT or an http:// or https:// URL
	Topic   string
	Timeout time.Duration // of one request, from connecting to the answer's last byte
	Log     *slog.Logger
}

// Lookup asks nsqlookupds. Only one goroutine at a time may use it. It holds nothing open between
// polls.
type Lookup struct {
	topic   string
	timeout time.Duration
	client  http.Client
	servers []*server
	last    []string // nsqds last reported
	known   int      // number of nsqds at the last poll; -1: no poll yet
	log     *slog.Logger
}

// server is one nsqlookupd. Its list is valid until its next answer: if it fails, none of its
// nsqds is dropped, and those of other servers are unaffected.
type server struct {
	url   string
	label string // without parts that may be secret
	nsqds []string

	failing bool
	bad     int // invalid addresses in its last answer
}

// New makes a Lookup; it asks nothing yet. Its error is a usage error.
func New(cfg Config) (*Lookup, error) {
	addrs, err := parseAddrs(cfg.Addrs)
	if err != nil {
		return nil, err
	}
	l := &Lookup{
		topic:   cfg.Topic,
		timeout: cfg.Timeout,
		known:   -1,
		log:     cfg.Log,
		client: http.Client{
			// Polls are far apart, so connections are not kept. Like nsqds, nsqlookupds
			// are connected to without a proxy.
			Transport: &http.Transport{
				DialContext:            (&net.Dialer{}).DialContext,
				DisableKeepAlives:      true,
				DisableCompression:     true,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, u := range addrs {
		query := u.Query()
		query.Set("topic", cfg.Topic)
		u.RawQuery = query.Encode()
		l.servers = append(l.servers, &server{url: u.String(), label: u.Scheme + "://" + u.Host})
	}
	return l, nil
}

// NoServers implements wire.Discoverer.
func (l *Lookup) NoServers() string { return "no nsqd has topic " + l.topic }

// reply is the result of asking one nsqlookupd.
type reply struct {
	from  int // index of the server
	nsqds []string
	bad   int
	err   error
}

// Poll asks all nsqlookupds at once. It calls found, on its own goroutine, with the nsqds that
// any of them lists, each HOST:PORT once, sorted: whenever an answer changes the list, and at the
// end of a poll in which any has answered if none did. For an nsqlookupd that has not answered,
// its last list counts. found may keep the list but not change it. Poll returns an error if none
// answered. It logs faults when they begin and end.
func (l *Lookup) Poll(ctx context.Context, found func(nsqds []string)) error {
	replies := make(chan reply, len(l.servers))
	for i, s := range l.servers {
		go func() {
			nsqds, bad, err := l.ask(ctx, s.url)
			replies <- reply{i, nsqds, bad, err}
		}()
	}
	faults := make([]error, len(l.servers))
	count, reported := -1, false
	for range l.servers {
		r := <-replies
		if ctx.Err() != nil {
			continue // a cancelled request is no fault of the server
		}
		s := l.servers[r.from]
		l.record(s, r)
		if r.err != nil {
			faults[r.from] = fmt.Errorf("ask nsqlookupd %s: %w", s.label, r.err)
			continue
		}
		all := l.merged()
		count = len(all)
		if all = all[:min(count, MaxServers)]; !slices.Equal(all, l.last) {
			found(all)
			l.last, reported = all, true
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if count < 0 {
		return errors.Join(faults...)
	}
	l.logCount(count) // at the end, because later answers may add more
	if !reported {
		found(l.last)
	}
	return nil
}

func (l *Lookup) ask(ctx context.Context, address string) (nsqds []string, bad int, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	request.Header.Set("Accept", "application/vnd.nsq; version=1.0")
	response, err := l.client.Do(request)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer response.Body.Close()
	return readAnswer(response)
}

// withoutURL removes the URL, which may contain a secret, from an error.
func withoutURL(err error) error {
	var full *url.Error
	if errors.As(err, &full) {
		return full.Err
	}
	return err
}

// record stores a server's reply and logs changes.
func (l *Lookup) record(s *server, r reply) {
	failing := r.err != nil
	if failing && !s.failing {
		l.log.Error("nsqlookupd does not answer; will ask again, and keep the nsqds that it has listed", "nsqlookupd", s.label,
			"topic", l.topic, "error", r.err)
	}
	if !failing && s.failing {
		l.log.Info("nsqlookupd answers again", "nsqlookupd", s.label, "topic", l.topic)
	}
	s.failing = failing
	if failing {
		return
	}
	if r.bad > 0 && r.bad != s.bad {
		l.log.Warn("nsqlookupd lists nsqds with an invalid address; ignored", "nsqlookupd", s.label,
			"topic", l.topic, "count", r.bad)
	}
	s.nsqds, s.bad = r.nsqds, r.bad
}

// logCount logs if no nsqd has the topic, or too many have.
func (l *Lookup) logCount(n int) {
	switch {
	case n == l.known:
	case n == 0:
		l.log.Warn("no nsqd has the topic; will ask again", "topic", l.topic)
	case n > MaxServers:
		l.log.Error("too many nsqds; the rest are ignored", "topic", l.topic, "count", n, "used", MaxServers)
	}
	l.known = n
}

// merged returns the nsqds that the servers list.
func (l *Lookup) merged() []string {
	var lists [][]string
	for _, s := range l.servers {
		lists = append(lists, s.nsqds)
	}
	return merge(lists)
}

// merge returns the elements of all lists, sorted, each once.
func merge(lists [][]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
