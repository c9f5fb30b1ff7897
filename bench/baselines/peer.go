package baselines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"feedgate/gateway/wire/fg1"
)

// Result is the result of a client.
type Result struct {
	Messages uint64 // processed and acked
	Bytes    uint64 // of their payloads
}

// Func is a client. It connects to addr, calls work for every message on one of its workers, acks
// the message, and returns after the server has sent BYE and closed. Several goroutines may call
// work at once; msg is valid during the call only. workers is at least 1. If ctx is cancelled, the
// error is ctx's.
type Func func(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error)

const (
	// maxMessage is the longest payload that a client accepts.
	maxMessage = 1 << 20
	// readSize is the size of a read. Larger buffers do not fit into a core's own cache. With 64
	// KiB, clients that do not copy need a third more CPU time per message.
	readSize = 256 << 10
	// closeTimeout bounds the wait for the peer's close, which only completes the protocol.
	closeTimeout = 5 * time.Second
)

// session connects, logs in, calls run, which reads until BYE and acks all messages, and closes.
// first is the number of the first message.
func session(ctx context.Context, addr, name string, run func(c *net.TCPConn, first uint64, res *Result) error) (Result, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", name, err)
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	defer context.AfterFunc(ctx, func() { abort(c) })()
	return converse(ctx, c, name, func(first uint64, res *Result) error { return run(c, first, res) })
}

// duplex is a connection whose sending side can be closed.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// converse runs a session on a connection, from the login to the close.
func converse(ctx context.Context, c duplex, name string, run func(first uint64, res *Result) error) (res Result, err error) {
	first, err := login(c, name)
	if err == nil {
		err = run(first, &res)
	}
	if err == nil {
		err = goodbye(c)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

// abort ends the connection for every descriptor of it: gnet has its own, and would not notice that
// c was closed.
func abort(c *net.TCPConn) {
	_ = c.CloseRead()
	_ = c.CloseWrite()
	_ = c.Close()
}

// login returns the number of the first message. It reads nothing after WELCOME.
func login(c net.Conn, name string) (first uint64, err error) {
	hello, err := json.Marshal(map[string]any{"version": 1, "client": name})
	if err != nil {
		return 0, err
	}
	if _, err := c.Write(fg1.AppendFrame(nil, fg1.Hello, 0, 0, 0, hello)); err != nil {
		return 0, err
	}
	h, err := readFrame(c)
	if err != nil {
		return 0, fmt.Errorf("login: %w", err)
	}
	if h.Op != fg1.Welcome {
		return 0, fmt.Errorf("login: op %d with code %d instead of WELCOME", h.Op, h.Code)
	}
	return h.Seq, nil
}

// readFrame reads one frame, discards its payload, and reads nothing after it.
func readFrame(c net.Conn) (fg1.Header, error) {
	head := make([]byte, fg1.HeaderSize)
	if _, err := io.ReadFull(c, head); err != nil {
		return fg1.Header{}, err
	}
	h := fg1.ParseHeader(head)
	if n := h.Payload(); n < 0 || n > maxMessage {
		return h, fmt.Errorf("frame of %d bytes", n)
	}
	_, err := io.CopyN(io.Discard, c, h.Payload())
	return h, err
}

// goodbye closes the connection without a reset, which could discard acks in the socket: it waits
// until the server has read them and closes.
func goodbye(c duplex) error {
	if _, err := c.Write(fg1.AppendFrame(nil, fg1.Bye, 0, fg1.CodeOK, 0, nil)); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(closeTimeout)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return fmt.Errorf("waiting for the server to close: %w", err)
	}
	return nil
}

// byeError returns the error of the server's BYE, nil for a clean one.
func byeError(h fg1.Header) error {
	if h.Code != fg1.CodeOK && h.Code != fg1.CodeShuttingDown {
		return fmt.Errorf("server sent BYE with code %d", h.Code)
	}
	return nil
}

// lost returns the error of a stream that ended before BYE.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("connection lost before BYE: %w", io.ErrUnexpectedEOF)
	}
	return err
}
