// Package line is an example of docs/adding-a-sink.md: a sink whose clients make their own
// connections. It sends each message as a line. The server answers each with a line: one that
// begins with + means that it has the message, with - that it will never take it, and any other
// that it cannot take it now, nor any later message of this connection. The sink is in no registry.
package line

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Kind is line://HOST:PORT.
var Kind = sink.Kind{
	Schemes: []string{"line"},
	Secure:  []string{"line+tls"},
	Form:    "line://HOST:PORT",
	Help:    "sends each message as a line and waits for the answer",
	Flags:   []any{sink.ServerFlags{}},
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		server, err := u.Server(0)
		if err == nil && server.Path != "" {
			err = errors.New("a path has no meaning here")
		}
		return sink.Target{Hosts: server.Hosts, Open: func(cfg *sink.Config) (*sink.Sink, error) {
			dial := new(net.Dialer).DialContext
			if u.Secure {
				dial = cfg.TLS.Dial
			}
			return kit.Open(kit.Config{Open: func(s *kit.Sink, worker int) (kit.Client, error) {
				return &client{sink: s, worker: worker, cfg: cfg, dial: dial, hosts: server.Hosts}, nil
			}}, cfg), nil
		}}, err
	},
}

// answerTimeout limits the wait for the answers to a batch.
const answerTimeout = 30 * time.Second

// client is the client of one worker. With one batch outstanding, one goroutine at a time calls
// Send, so the fields need no lock.
type client struct {
	sink   *kit.Sink
	worker int
	cfg    *sink.Config
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	hosts  []string // the next one to try is first

	conn    net.Conn // nil: none
	answers *bufio.Reader
}

// Send implements [kit.Client].
func (c *client) Send(ctx context.Context, b *kit.Batch) {
	if err := c.connect(ctx); err != nil {
		b.ResolveAll(kit.Again(0, err))
		return
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends the wait for the server
	defer stop()
	if err := c.exchange(b); err != nil {
		c.disconnect()
		b.ResolveAll(kit.Again(0, err)) // the messages without an answer
	}
}

// exchange writes a batch, and resolves each message when its answer arrives. The answers to a
// batch fit the socket's buffer, so the server need not wait for the client to read them.
func (c *client) exchange(b *kit.Batch) error {
	var lines bytes.Buffer
	var sent []int
	for i := range b.Len() {
		if data := b.At(i).Data; bytes.IndexByte(data, '\n') < 0 {
			lines.Write(data)
			lines.WriteByte('\n')
			sent = append(sent, i)
			continue
		}
		b.Resolve(i, 1, kit.Unfit(worker.BadRequest)) // it would be two lines
	}
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(lines.Bytes()); err != nil {
		return err
	}
	for _, i := range sent {
		answer, err := c.answers.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("waiting for an answer: %w", err)
		}
		switch answer[0] {
		case '+':
			b.Resolve(i, 1, kit.Done())
		case '-':
			b.Resolve(i, 1, kit.Refused(worker.Refused))
		default:
			return errors.New("the server asks to wait") // for this one and those behind it
		}
	}
	return nil
}

// connect makes a connection if there is none.
func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	conn, err := c.dial(ctx, "tcp", c.hosts[0])
	c.sink.SetDown(c.worker, err)
	if err != nil {
		c.hosts = append(c.hosts[1:len(c.hosts):len(c.hosts)], c.hosts[0])
		return err
	}
	c.conn, c.answers = conn, bufio.NewReaderSize(conn, 4<<10) // a longer answer is an error
	return nil
}

func (c *client) disconnect() {
	c.conn.Close()
	c.conn = nil
}

// Close implements [kit.Client].
func (c *client) Close() error {
	if c.conn != nil {
		c.disconnect()
	}
	return nil
}
