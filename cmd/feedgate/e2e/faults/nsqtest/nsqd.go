package nsqtest

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Nsqd is an nsqd process with its own data directory, which it keeps across restarts.
type Nsqd struct{ *Process }

// StartNsqd starts an nsqd with its addresses, its data directory and additional flags. --log-level
// must stay at info or debug, because the log shows when nsqd listens.
func StartNsqd(t testing.TB, flags ...string) *Nsqd {
	t.Helper()
	return &Nsqd{launch(t, "nsqd", append([]string{"--data-path=" + t.TempDir()}, flags...))}
}

// publishBytes is the maximum size of a request with more than one message. nsqd accepts 5 MiB by
// default.
const publishBytes = 1 << 20

// Publish sends messages over HTTP, in order, many per request. After an error nsqd may have accepted
// some of them.
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

// CreateTopic creates a topic if it does not exist.
func (d *Nsqd) CreateTopic(topic string) {
	d.t.Helper()
	d.mustPost("/topic/create", url.Values{"topic": {topic}})
}

// CreateChannel creates a channel, and its topic, if they do not exist.
func (d *Nsqd) CreateChannel(topic, channel string) {
	d.t.Helper()
	d.CreateTopic(topic)
	d.mustPost("/channel/create", channelQuery(topic, channel))
}

// DeleteChannel deletes a channel, which closes the connections of its clients.
func (d *Nsqd) DeleteChannel(topic, channel string) {
	d.t.Helper()
	d.mustPost("/channel/delete", channelQuery(topic, channel))
}

// EmptyChannel discards all messages of a channel: queued, in flight and deferred.
func (d *Nsqd) EmptyChannel(topic, channel string) {
	d.t.Helper()
	d.mustPost("/channel/empty", channelQuery(topic, channel))
}

// PauseChannel stops deliveries until UnpauseChannel.
func (d *Nsqd) PauseChannel(topic, channel string) {
	d.t.Helper()
	d.mustPost("/channel/pause", channelQuery(topic, channel))
}

// UnpauseChannel resumes deliveries.
func (d *Nsqd) UnpauseChannel(topic, channel string) {
	d.t.Helper()
	d.mustPost("/channel/unpause", channelQuery(topic, channel))
}

func channelQuery(topic, channel string) url.Values {
	return url.Values{"topic": {topic}, "channel": {channel}}
}

// Channel has nsqd's statistics of a channel. Counts restart at 0 with the process.
type Channel struct {
	Name     string   `json:"channel_name"`
	Depth    int      `json:"depth"` // queued, in memory and on disk
	InFlight int      `json:"in_flight_count"`
	Deferred int      `json:"deferred_count"` // by REQ, or when published
	Messages uint64   `json:"message_count"`  // that the channel has received
	Requeued uint64   `json:"requeue_count"`
	TimedOut uint64   `json:"timeout_count"`
	Paused   bool     `json:"paused"`
	Clients  []Client `json:"clients"`
}

// Client has nsqd's statistics of a connected client.
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

// Unfinished returns how many messages are not finished.
func (c *Channel) Unfinished() int { return c.Depth + c.InFlight + c.Deferred }

// Channel returns the statistics of a channel, zero if it does not exist.
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

// Await waits until done returns true for the statistics of a channel, and returns them.
func (d *Nsqd) Await(what, topic, channel string, done func(Channel) bool) Channel {
	d.t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(pause) {
		c, err := d.Channel(topic, channel)
		if err != nil {
			d.t.Fatalf("waiting for %s: %v", what, err)
		}
		if done(c) {
			return c
		}
		if time.Now().After(limit) {
			d.t.Fatalf("not within %v: %s; the last statistics are %+v", patience, what, c)
		}
	}
}
