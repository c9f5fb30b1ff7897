package e2e

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Frame types of nsqd's protocol (https://nsq.io/clients/tcp_protocol_spec.html).
const (
	nsqResponse = 0
	nsqError    = 1
	nsqMessage  = 2
)

// nsqConn is one connection of the gateway to an nsqd simulated by the test.
type nsqConn struct {
	*tcpConn
	in *bufio.Reader
}

// nsqIdentity has the fields of IDENTIFY that the contract defines.
type nsqIdentity struct {
	ClientID          string `json:"client_id"`
	HeartbeatInterval int    `json:"heartbeat_interval"`
	Features          bool   `json:"feature_negotiation"`
	TLS               bool   `json:"tls_v1"`
}

// acceptNSQ accepts a connection, reads IDENTIFY and answers it.
func acceptNSQ(t *testing.T, ln *net.TCPListener, answer string) (*nsqConn, nsqIdentity) {
	t.Helper()
	c := &nsqConn{tcpConn: &tcpConn{TCPConn: accept(t, ln), t: t}}
	c.in = bufio.NewReader(c.TCPConn)
	c.expectBytes("  V2")
	c.command("IDENTIFY")
	var id nsqIdentity
	if err := json.Unmarshal(c.body(), &id); err != nil {
		t.Fatal(err)
	}
	c.frame(nsqResponse, answer)
	return c, id
}

// subscribed reads SUB, answers it, and reads RDY.
func (c *nsqConn) subscribed(topic, channel string, ready int) {
	c.t.Helper()
	c.command("SUB " + topic + " " + channel)
	c.frame(nsqResponse, "OK")
	c.command(fmt.Sprint("RDY ", ready))
}

func (c *nsqConn) frame(kind uint32, data string) {
	c.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(data)))
	b = binary.BigEndian.AppendUint32(b, kind)
	c.send(append(b, data...))
}

// nsqID returns the ID of message n.
func nsqID(n int) string { return fmt.Sprintf("%016x", n) }

// message delivers message n with an attempt count.
func (c *nsqConn) message(n int, attempts uint16, body string) {
	c.t.Helper()
	head := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
	head = binary.BigEndian.AppendUint16(head, attempts)
	c.frame(nsqMessage, string(head)+nsqID(n)+body)
}

func (c *nsqConn) deadline() {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *nsqConn) expectBytes(want string) {
	c.t.Helper()
	c.deadline()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
		c.t.Fatalf("the gateway sent %q, %v; want %q", got[:n], err, want)
	}
}

// next returns the gateway's next command.
func (c *nsqConn) next() string {
	c.t.Helper()
	c.deadline()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the gateway sent %q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *nsqConn) command(want string) {
	c.t.Helper()
	if got := c.next(); got != want {
		c.t.Fatalf("command %q, want %q", got, want)
	}
}

// commands reads the wanted commands, in any order.
func (c *nsqConn) commands(want ...string) {
	c.t.Helper()
	due := map[string]bool{}
	for _, line := range want {
		due[line] = true
	}
	for range want {
		line := c.next()
		if !due[line] {
			c.t.Fatalf("command %q, want one of %v", line, due)
		}
		delete(due, line)
	}
}

// body reads the body of a command: IDENTIFY or AUTH.
func (c *nsqConn) body() []byte {
	c.t.Helper()
	c.deadline()
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		c.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.in, body); err != nil {
		c.t.Fatal(err)
	}
	return body
}

// leaves expects the end of the gateway's stream, and closes.
func (c *nsqConn) leaves() {
	c.t.Helper()
	c.deadline()
	if b, err := io.ReadAll(c.in); err != nil && !errors.Is(err, net.ErrClosed) || len(b) > 0 {
		c.t.Fatalf("the gateway sent %q, %v; want the end", b, err)
	}
	c.close()
}
