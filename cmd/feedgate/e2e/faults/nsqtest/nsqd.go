package nsqtest

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Nsqd is a process of nsqd with a data directory of its own, which stays from start
// to start.
type Nsqd struct{ *Process }

// StartNsqd starts an nsqd with flags beside its addresses and its data directory. A
// --log-level other than info or debug is not for them: the log says when it listens.
func StartNsqd(t testing.TB, flags ...string) *Nsqd {
	t.Helper()
	return &Nsqd{launch(t, "nsqd", append([]string{"--data-path=" + t.TempDir()}, flags...))}
}

// publishBytes is how much a request brings at most, unless it is one message: nsqd
// takes 5 MiB by default.
const publishBytes = 1 << 20

// Publish sends messages over HTTP, in order, many in a request. After an error some
// of them may have been taken. Any goroutine may call it.
func (d *Nsqd) Publish(topic string, bodies ...[]byte) error {
	for len(bodies) > 0 {
		n, size := 1, len(bodies[0])
		for n < len(bodies) && size+len(bodies[n]) <= publishBytes {
			size += len(bodies[n])
			n++
		}
		batch := binary.BigEndian.AppendUint32(nil, uint32(n))
		for _, body := range bodies[:n] {
			batch = binary.BigEndian.AppendUint32(batch, uint32(len(body)))
			batch = append(batch, body...)
		}
		query := url.Values{"topic": {topic}, "binary": {"true"}}
		if err := d.call(http.MethodPost, "/mpub", query, bytes.NewReader(batch), nil); err != nil {
			return err
		}
		bodies = bodies[n:]
	}
	return nil
}

// CreateTopic makes a topic, unless it is there.
func (d *Nsqd) CreateTopic(topic string) {
	d.t.Helper()
	d.must("/topic/create", url.Values{"topic": {topic}})
}

// CreateChannel makes a channel, and its topic, unless they are there.
func (d *Nsqd) CreateChannel(topic, channel string) {
	d.t.Helper()
	d.CreateTopic(topic)
	d.must("/channel/create", channelQuery(topic, channel))
}

// DeleteChannel closes the connections of the channel's clients, too.
func (d *Nsqd) DeleteChannel(topic, channel string) {
	d.t.Helper()
	d.must("/channel/delete", channelQuery(topic, channel))
}

// EmptyChannel throws away what is queued, in flight and put off.
func (d *Nsqd) EmptyChannel(topic, channel string) {
	d.t.Helper()
	d.must("/channel/empty", channelQuery(topic, channel))
}

// PauseChannel keeps messages from clients until UnpauseChannel.
func (d *Nsqd) PauseChannel(topic, channel string) {
	d.t.Helper()
	d.must("/channel/pause", channelQuery(topic, channel))
}

// UnpauseChannel undoes PauseChannel.
func (d *Nsqd) UnpauseChannel(topic, channel string) {
	d.t.Helper()
	d.must("/channel/unpause", channelQuery(topic, channel))
}

func channelQuery(topic, channel string) url.Values {
	return url.Values{"topic": {topic}, "channel": {channel}}
}

// Channel is what nsqd's /stats says of a channel. Counts start anew with the process.
type Channel struct {
	Name     string   `json:"channel_name"`
	Depth    int      `json:"depth"` // queued, in memory and on disk
	InFlight int      `json:"in_flight_count"`
	Deferred int      `json:"deferred_count"` // put off by REQ, or published so
	Messages uint64   `json:"message_count"`  // that have come into the channel
	Requeued uint64   `json:"requeue_count"`
	TimedOut uint64   `json:"timeout_count"`
	Paused   bool     `json:"paused"`
	Clients  []Client `json:"clients"`
}

// Client is what it says of one that is connected.
type Client struct {
	ID        string `json:"client_id"`
	Hostname  string `json:"hostname"`
	UserAgent string `json:"user_agent"`
	Addr      string `json:"remote_address"`
	Ready     int    `json:"ready_count"` // its last RDY
	InFlight  int    `json:"in_flight_count"`
	Messages  uint64 `json:"message_count"` // sent to it
	Finished  uint64 `json:"finish_count"`
	Requeued  uint64 `json:"requeue_count"`
	TLS       bool   `json:"tls"`
	Authed    bool   `json:"authed"`
}

// Unfinished is how many messages are still to be finished.
func (c *Channel) Unfinished() int { return c.Depth + c.InFlight + c.Deferred }

// Channel returns what nsqd says of a channel, zero when there is none of the name.
func (d *Nsqd) Channel(topic, channel string) (Channel, error) {
	var stats struct {
		Topics []struct {
			Channels []Channel `json:"channels"`
		} `json:"topics"`
	}
	query := channelQuery(topic, channel)
	query.Set("format", "json")
	if err := d.call(http.MethodGet, "/stats", query, nil, &stats); err != nil {
		return Channel{}, err
	}
	for _, topic := range stats.Topics {
		for _, c := range topic.Channels {
			return c, nil
		}
	}
	return Channel{}, nil
}

// Await waits until done says so of a channel, and returns what it said it of.
func (d *Nsqd) Await(what, topic, channel string, done func(Channel) bool) Channel {
	d.t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(pause) {
		c, err := d.Channel(topic, channel)
		if err != nil {
			d.t.Fatalf("awaiting %s: %v", what, err)
		}
		if done(c) {
			return c
		}
		if time.Now().After(limit) {
			d.t.Fatalf("not within %v: %s; at last %+v", patience, what, c)
		}
	}
}
