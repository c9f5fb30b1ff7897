package feedserver

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Counts are numbers of messages and of acks. A message that was sent several times counts once; every
// ack counts.
type Counts struct {
	Sent         uint64 `json:"sent"`         // messages of which the socket has accepted the last byte
	Acknowledged uint64 `json:"acknowledged"` // messages acknowledged with any code
	Missing      uint64 `json:"missing"`      // messages sent and not acknowledged (yet)
	Duplicate    uint64 `json:"duplicate"`    // acks that repeat one on the same connection
	Refused      uint64 `json:"refused"`      // messages acknowledged with a code other than 0
	Early        uint64 `json:"early"`        // acks before the message's last byte was sent; in no other count
	Unknown      uint64 `json:"unknown"`      // acks for no message of the connection
	Unsent       uint64 `json:"unsent"`       // messages of Config.Count that were never sent
	Resent       uint64 `json:"resent"`       // times that a message was sent again

	Connections    int    `json:"connections"`
	ProtocolErrors uint64 `json:"protocol_errors"`

	// Seconds is the time from sending the first message to the last ack. The rates are those of
	// acknowledged messages and of sent bytes, framing included, in that time.
	Seconds  float64 `json:"seconds"`
	MsgsPerS float64 `json:"msgs_per_s"`
	MBPerS   float64 `json:"mb_per_s"`

	// Ack latencies in microseconds, from sending a message (under Config.Rate: from when it was due) to
	// the arrival of its ack; 0 without acks.
	P50US  float64 `json:"p50_us"`
	P99US  float64 `json:"p99_us"`
	P999US float64 `json:"p999_us"`
	MaxUS  float64 `json:"max_us"`
}

// ClientReport is the report of one session.
type ClientReport struct {
	Client  string `json:"client"`  // its name at login, or its address
	Session string `json:"session"` // the session's name; empty if the protocol has none
	Counts
}

// Report is the report of a feed.
type Report struct {
	Protocol string         `json:"protocol"`
	Clients  []ClientReport `json:"clients"` // in order of arrival
	Total    Counts         `json:"total"`

	// RejectedLogins is the number of connections whose login failed.
	RejectedLogins uint64 `json:"rejected_logins"`
	// FailedHandshakes is the number of connections whose TLS handshake failed.
	FailedHandshakes uint64 `json:"failed_handshakes"`

	hist *hdrhistogram.Histogram // of all clients, in nanoseconds; nil: no ack
}

// LatencyAt returns a percentile, from 0 (the minimum) to 100 (the maximum), of all clients' ack
// latencies, to three significant digits. ok is false without acks, and for a report decoded from
// JSON.
func (r *Report) LatencyAt(percentile float64) (d time.Duration, ok bool) {
	if r.hist == nil {
		return 0, false
	}
	return time.Duration(r.hist.ValueAtPercentile(percentile)), true
}

// ErrAcks means that acks are missing, doubled or unknown, or messages were never sent.
var ErrAcks = errors.New("wrong acks")

// Err returns nil if every message was sent and acknowledged exactly once on each connection, else an
// error that wraps ErrAcks.
func (r *Report) Err() error {
	t := &r.Total
	if t.Missing+t.Duplicate+t.Unknown+t.Unsent == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d missing, %d doubled, %d unknown, %d messages never sent",
		ErrAcks, t.Missing, t.Duplicate, t.Unknown, t.Unsent)
}

// WriteTable writes the report as a table with one row per client and one for the total.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "client\tsent\tacknowledged\tmissing\tduplicate\trefused\tearly\tunknown\tmsgs/s\tp50 us\tp99 us\tp99.9 us\t")
	row := func(name string, c *Counts) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t\n",
			name, c.Sent, c.Acknowledged, c.Missing, c.Duplicate, c.Refused, c.Early, c.Unknown,
			c.MsgsPerS, c.P50US, c.P99US, c.P999US)
	}
	for i := range r.Clients {
		client := &r.Clients[i]
		name := client.Client
		if client.Session != "" {
			name += " " + client.Session
		}
		row(name, &client.Counts)
	}
	row("total", &r.Total)
	return table.Flush()
}

// tally sums up sessions.
type tally struct {
	begin, end time.Duration
	bytes      uint64
	hist       *hdrhistogram.Histogram
}

// counts returns the counts of a session and adds it to t.
func (s *session) counts(t *tally, endless bool) Counts {
	c := Counts{
		Sent: s.sent(), Acknowledged: s.acknowledged, Missing: s.sent() - s.acknowledged,
		Duplicate: s.duplicate, Refused: s.refused, Early: s.early, Unknown: s.unknown,
		Resent: s.resent, Connections: s.connections, ProtocolErrors: s.protocolErrors,
	}
	if !endless {
		c.Unsent = s.last - s.sent()
	}
	own := tally{s.firstSent, s.lastAck, s.bytes, s.lat.hist}
	own.fill(&c)
	if s.begun && (t.begin == 0 || s.firstSent < t.begin) {
		t.begin = s.firstSent
	}
	t.end = max(t.end, s.lastAck)
	t.bytes += s.bytes
	if s.lat.hist != nil {
		if t.hist == nil {
			t.hist = newHistogram()
		}
		t.hist.Merge(s.lat.hist)
	}
	return c
}

// fill sets the rates and latencies of c.
func (t *tally) fill(c *Counts) {
	if t.end > t.begin {
		c.Seconds = (t.end - t.begin).Seconds()
		c.MsgsPerS = float64(c.Acknowledged) / c.Seconds
		c.MBPerS = float64(t.bytes) / c.Seconds / 1e6
	}
	if t.hist == nil {
		return
	}
	us := func(ns int64) float64 { return float64(ns) / 1e3 }
	c.P50US = us(t.hist.ValueAtPercentile(50))
	c.P99US = us(t.hist.ValueAtPercentile(99))
	c.P999US = us(t.hist.ValueAtPercentile(99.9))
	c.MaxUS = us(t.hist.Max())
}

// add adds the numbers of o, but not its rates and latencies.
func (c *Counts) add(o *Counts) {
	c.Sent += o.Sent
	c.Acknowledged += o.Acknowledged
	c.Missing += o.Missing
	c.Duplicate += o.Duplicate
	c.Refused += o.Refused
	c.Early += o.Early
	c.Unknown += o.Unknown
	c.Unsent += o.Unsent
	c.Resent += o.Resent
	c.Connections += o.Connections
	c.ProtocolErrors += o.ProtocolErrors
}

// report returns the present report.
func (l *loop) report() Report {
	r := Report{Protocol: l.cfg.Protocol, Clients: []ClientReport{}, RejectedLogins: l.rejected,
		FailedHandshakes: l.failedHandshakes}
	var all tally
	for _, s := range l.sessions {
		counts := s.counts(&all, l.count() == 0)
		r.Clients = append(r.Clients, ClientReport{Client: s.client, Session: s.id, Counts: counts})
		r.Total.add(&counts)
	}
	all.fill(&r.Total)
	r.hist = all.hist
	return r
}
