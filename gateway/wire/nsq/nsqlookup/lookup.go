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

// MaxServers is how many nsqds are taken at most: each costs a gateway.
const MaxServers = 1024

// Config sets a Lookup up.
type Config struct {
	Addrs   []string // of nsqlookupds, at least one; HOST:PORT or http:// or https:// URLs
	Topic   string
	Timeout time.Duration // of one question, from connecting to the answer's last byte
	Log     *slog.Logger
}

// Lookup asks nsqlookupds. It is used by one goroutine at a time, and holds nothing open
// between two polls.
type Lookup struct {
	topic   string
	timeout time.Duration
	client  http.Client
	servers []*server
	last    []string // passed on
	known   int      // nsqds of the last poll; -1: there was none
	log     *slog.Logger
}

// server is one nsqlookupd. Its list stands until it answers with another: one that fails
// takes none of its nsqds away, and neither does it keep those of others.
type server struct {
	url   string
	label string // without what may be a secret
	nsqds []string

	failing bool
	bad     int // producers of its last answer that are no address
}

// New makes a Lookup; nothing is asked yet. Its error is a usage error.
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
			// Polls are far apart, so a connection is not kept. As nsqds are connected to
			// without a proxy, so are those that know them.
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

// NoServers says that no nsqd has the topic.
func (l *Lookup) NoServers() string { return "no nsqd has topic " + l.topic }

// reply is what came of asking one nsqlookupd.
type reply struct {
	from  int // place among the servers
	nsqds []string
	bad   int
	err   error
}

// Poll asks all nsqlookupds at once and passes on the nsqds that any of them lists,
// HOST:PORT, in order, each once: as answers come, whenever that has changed, and at the end
// of a poll in which it has not, if any has answered. One that does not answer, or has yet
// to, lists what it listed when it last did. found is called on Poll's goroutine and may
// keep the list, not change it. The error says that none answered. Faults are logged when
// they begin and end.
func (l *Lookup) Poll(ctx context.Context, found func(nsqds []string)) error {
	replies := make(chan reply, len(l.servers))
	for i, s := range l.servers {
		go func() {
			nsqds, bad, err := l.ask(ctx, s.url)
			replies <- reply{i, nsqds, bad, err}
		}()
	}
	faults := make([]error, len(l.servers))
	count, passedOn := -1, false
	for range l.servers {
		r := <-replies
		if ctx.Err() != nil {
			continue // a cancelled question is no fault of who was asked
		}
		s := l.servers[r.from]
		l.note(s, r)
		if r.err != nil {
			faults[r.from] = fmt.Errorf("ask nsqlookupd %s: %w", s.label, r.err)
			continue
		}
		all := l.merged()
		count = len(all)
		if all = all[:min(count, MaxServers)]; !slices.Equal(all, l.last) {
			found(all)
			l.last, passedOn = all, true
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if count < 0 {
		return errors.Join(faults...)
	}
	l.noteCount(count) // of all: one that has yet to answer may have more
	if !passedOn {
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

// withoutURL takes the URL, which can hold a secret, out of an error.
func withoutURL(err error) error {
	var full *url.Error
	if errors.As(err, &full) {
		return full.Err
	}
	return err
}

// note keeps what a server replied and logs what has changed.
func (l *Lookup) note(s *server, r reply) {
	failing := r.err != nil
	if failing && !s.failing {
		l.log.Error("nsqlookupd does not answer; will go on asking, and with the nsqds that it named", "nsqlookupd", s.label,
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
		l.log.Warn("nsqlookupd lists nsqds without an address that can be connected to; left out", "nsqlookupd", s.label,
			"topic", l.topic, "count", r.bad)
	}
	s.nsqds, s.bad = r.nsqds, r.bad
}

// noteCount logs numbers of nsqds that a user must know of.
func (l *Lookup) noteCount(n int) {
	switch {
	case n == l.known:
	case n == 0:
		l.log.Warn("no nsqd has the topic; will go on asking", "topic", l.topic)
	case n > MaxServers:
		l.log.Error("too many nsqds; the rest is left out", "topic", l.topic, "count", n, "taken", MaxServers)
	}
	l.known = n
}

// merged is what the servers list.
func (l *Lookup) merged() []string {
	var lists [][]string
	for _, s := range l.servers {
		lists = append(lists, s.nsqds)
	}
	return merge(lists)
}

// merge is what any list holds, in order, each once.
func merge(lists [][]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
