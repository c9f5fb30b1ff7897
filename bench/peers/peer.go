package peers

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

// Result is what a client has done.
type Result struct {
	Messages uint64        // worked on and acknowledged
	Bytes    uint64        // of their payloads
	Elapsed  time.Duration // from the login to the server's close
}

// Func is a client: it connects to addr, runs every message through work on one
// of its workers, acknowledges it, and returns when the server has said BYE and
// closed. work may be called by several goroutines at once, and msg is its own
// during the call only. workers is at least 1. The error of a cancelled ctx is ctx's.
type Func func(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error)

// Peers are the clients by name, the fastest way first.
var Peers = []struct {
	Name string
	Run  Func
}{
	{"limit", Limit},
	{"inline", Inline},
	{"batches", Batches},
	{"channels", Channels},
	{"naive", Naive},
}

// Find is the client of that name, or nil.
func Find(name string) Func {
	for _, p := range Peers {
		if p.Name == name {
			return p.Run
		}
	}
	return nil
}

const (
	// maxMessage is the longest payload that a client takes.
	maxMessage = 1 << 20
	// readSize is how much a client asks the kernel for at once. Larger buffers
	// drop out of a core's own cache.
	readSize = 256 << 10
	// closeTimeout bounds the wait for the other side's close, which nothing
	// depends on any more.
	closeTimeout = 5 * time.Second
)

// session connects and logs in, leaves the stream to run until the server's BYE is
// read and all is acknowledged, and closes.
func session(ctx context.Context, addr, name string, run func(*net.TCPConn, *Result) error) (Result, error) {
	var res Result
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()

	start := time.Now()
	if err = login(c, name); err == nil {
		err = run(c, &res)
	}
	if err == nil {
		err = goodbye(c)
	}
	res.Elapsed = time.Since(start)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

// login leaves what follows WELCOME in the socket.
func login(c net.Conn, name string) error {
	hello, err := json.Marshal(map[string]any{"version": 1, "client": name})
	if err != nil {
		return err
	}
	if _, err := c.Write(fg1.AppendFrame(nil, fg1.Hello, 0, 0, 0, hello)); err != nil {
		return err
	}
	h, _, err := readFrame(c)
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	if h.Op != fg1.Welcome {
		return fmt.Errorf("login: op %d with code %d instead of WELCOME", h.Op, h.Code)
	}
	return nil
}

// readFrame reads one frame and nothing behind it.
func readFrame(c net.Conn) (h fg1.Header, payload []byte, err error) {
	head := make([]byte, fg1.HeaderSize)
	if _, err := io.ReadFull(c, head); err != nil {
		return h, nil, err
	}
	h = fg1.ParseHeader(head)
	if n := h.Payload(); n < 0 || n > maxMessage {
		return h, nil, fmt.Errorf("frame of %d bytes", n)
	}
	payload = make([]byte, h.Payload())
	_, err = io.ReadFull(c, payload)
	return h, payload, err
}

// goodbye closes so that no reset can destroy acks on their way: the server reads
// them all before it closes.
func goodbye(c *net.TCPConn) error {
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

// ErrProtocol is in the error of a client whose server broke the protocol, or
// used a part of it that the clients here do without.
var ErrProtocol = errors.New("protocol error")

// taken reports whether a client here takes the frame. It is small enough to be
// inlined, as it runs for each message.
func taken(h fg1.Header) bool {
	const known = 1<<fg1.Data | 1<<fg1.Ping | 1<<fg1.Pong | 1<<fg1.Bye
	return h.Flags == 0 && uint64(h.Payload()) <= maxMessage && uint64(known)>>h.Op&1 != 0
}

// refused is the error of a frame that is not taken.
func refused(h fg1.Header) error {
	return fmt.Errorf("%w: op %d, flags %d, %d bytes", ErrProtocol, h.Op, h.Flags, h.Payload())
}

// byeError is the error of the server's BYE, if it is one.
func byeError(h fg1.Header) error {
	if h.Code != fg1.CodeOK && h.Code != fg1.CodeShuttingDown {
		return fmt.Errorf("server said BYE with code %d", h.Code)
	}
	return nil
}

// lost is the error of a stream that ended before BYE.
func lost(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("connection lost before BYE: %w", io.ErrUnexpectedEOF)
	}
	return err
}
