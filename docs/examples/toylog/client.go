package toylog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"feedgate/worker"
	"feedgate/worker/selector"
	"feedgate/worker/sink/kit"
)

// errBusy is the reason of messages that the server cannot take now.
var errBusy = errors.New("the server cannot take messages now")

// client is the client of one worker. With one batch outstanding, one goroutine at a time calls
// Send. Between two batches, the connection belongs to the goroutine of [client.keep].
type client struct {
	servers *servers
	key     *selector.Selector // nil: none
	sink    *kit.Sink
	worker  int

	conn    *conn  // nil: none
	endKeep func() // ends keep and waits until it has returned
	scratch []byte // a message's header
}

func newClient(s *kit.Sink, worker int, servers *servers, key *selector.Selector) *client {
	c := &client{servers: servers, key: key, sink: s, worker: worker}
	c.idle()
	return c
}

// Send implements [kit.Client]. It returns when every message has an outcome.
func (c *client) Send(ctx context.Context, b *kit.Batch) {
	c.endKeep()
	defer func() {
		if ctx.Err() == nil {
			c.idle()
		}
	}()
	if err := c.connect(ctx); err != nil {
		outcome := kit.Again(after(err), err)
		if errors.Is(err, kit.ErrDenied) {
			outcome = kit.Denied(err)
		}
		b.ResolveAll(outcome)
		return
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends the wait for the server
	defer stop()
	if err := c.exchange(b); err != nil {
		err = fmt.Errorf("%s: %w", c.servers.hosts[conn.host], err)
		c.disconnect()
		b.ResolveAll(kit.Again(0, err)) // the messages without an answer
	}
}

// exchange sends a batch, and resolves each message when its answer arrives. The answers to a batch
// fit the socket's buffers, so the server need not wait for the client to read them.
func (c *client) exchange(b *kit.Batch) error {
	if err := c.write(b); err != nil {
		return err
	}
	for i := range b.Len() {
		answer, err := c.conn.answer()
		if err != nil {
			return fmt.Errorf("waiting for an answer: %w", err)
		}
		switch answer {
		case 0:
			b.Resolve(i, 1, kit.Done())
		case 1:
			b.Resolve(i, 1, kit.Again(0, errBusy))
		case 2:
			b.Resolve(i, 1, kit.Refused(worker.Refused))
		default:
			return fmt.Errorf("the server answered %d, which the protocol does not have", answer)
		}
	}
	return nil
}

// write sends a batch. It copies no long message: what does not fit the connection's buffer is sent
// from the message's memory.
func (c *client) write(b *kit.Batch) error {
	w := c.conn.batch
	if _, err := w.Write(binary.BigEndian.AppendUint32(c.scratch[:0], uint32(b.Len()))); err != nil {
		return err
	}
	for i := range b.Len() {
		m := b.At(i)
		head := append(c.scratch[:0], 0, 0, 0, 0)
		if c.key != nil {
			head = c.key.AppendFrom(head, m)
		}
		binary.BigEndian.PutUint32(head, uint32(len(head)-4))
		head = binary.BigEndian.AppendUint32(head, uint32(len(m.Data)))
		c.scratch = head
		if _, err := w.Write(head); err != nil {
			return err
		}
		if _, err := w.Write(m.Data); err != nil {
			return err
		}
	}
	return w.Flush()
}

// connect makes a connection if there is none.
func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := c.servers.login(ctx)
	if err != nil && ctx.Err() != nil {
		return err // the client has canceled it; the servers are not at fault
	}
	c.sink.SetDown(c.worker, err)
	c.conn = conn
	return err
}

// disconnect closes a connection that has failed. The next one will be to another host.
func (c *client) disconnect() {
	c.conn.Close()
	c.servers.failed(c.conn.host)
	c.conn = nil
}

// idle runs keep until the next batch.
func (c *client) idle() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	c.endKeep = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		c.keep(ctx)
	}()
}

// keep watches the connection between two batches: if the server closes it, keep reports that and
// connects again. So the sink is not ready while the server is away, also if there are no messages.
func (c *client) keep(ctx context.Context) {
	wait := c.servers.cfg.NewBackoff()
	for {
		err := c.connect(ctx)
		if err == nil {
			if err = c.conn.await(ctx); err == nil {
				return
			}
			c.disconnect()
			c.sink.SetDown(c.worker, fmt.Errorf("the connection was lost: %w", err))
		}
		select {
		case <-time.After(max(wait.NextBackOff(), after(err))):
		case <-ctx.Done():
			return
		}
	}
}

// await waits until the connection ends, and returns why; or until ctx ends, and returns nil.
func (c *conn) await(ctx context.Context) error {
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = c.SetReadDeadline(time.Unix(1, 0)) // ends the wait; the next answer sets a new deadline
	})
	_, err := c.answers.Peek(1)
	if !stop() {
		<-ended
	}
	switch {
	case err == nil:
		return errors.New("the server answered, but no message was sent")
	case ctx.Err() != nil:
		return nil // if the connection has failed, too, the next batch will find out
	}
	return err
}

// Close implements [kit.Client].
func (c *client) Close() error {
	c.endKeep()
	if c.conn != nil {
		c.conn.Close()
	}
	return nil
}
