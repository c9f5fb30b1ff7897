package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"feedgate/gateway/wire/fg1"
)

// sendSize is how much the server gives the kernel at once.
const sendSize = 128 << 10

// Server is an FG/1 server that costs as little as one can: it sends the same
// messages again and again, as fast as they are taken, and patches nothing but
// their numbers. It takes acks by counting bytes, unless it verifies. It sends
// no PING and asks for none within an hour; BYE follows the last message.
type Server struct {
	Messages uint64 // on each connection
	Size     int    // of a message's payload, in bytes
	Verify   bool   // check every ack, but for the client named "limit"
}

// Served is what came of one connection.
type Served struct {
	Client   string        // as it named itself
	Messages uint64        // acknowledged
	Elapsed  time.Duration // from WELCOME to the last ack
	CPU      time.Duration // of the whole process meanwhile, user and system
	Verified bool          // each ack was checked: one for each message, and code 0
}

// Serve serves c to its end and closes it. An error means that the client went
// away too early or, with Verify, that an ack was wrong.
func (s *Server) Serve(c *net.TCPConn) (Served, error) {
	defer c.Close()
	client, err := s.welcome(c)
	if err != nil {
		return Served{}, fmt.Errorf("login: %w", err)
	}
	served := Served{Client: client, Verified: s.Verify && client != "limit"}
	var acks counter = new(volume)
	var sent atomic.Uint64
	if served.Verified {
		acks = newLedger(s.Messages, &sent, c)
	}
	start, cpu := time.Now(), processCPU()
	sending := make(chan error, 1)
	go func() { sending <- s.send(c, &sent) }()
	err = receive(c, acks, s.Messages)
	served.Elapsed, served.CPU = time.Since(start), processCPU()-cpu
	if err != nil {
		c.Close() // ends the sender
	}
	served.Messages = min(acks.count(), s.Messages) // by volume, BYE counts as well
	err = errors.Join(err, <-sending)
	if err == nil {
		err = finish(c, acks)
	}
	return served, err
}

func (s *Server) welcome(c net.Conn) (client string, err error) {
	h, payload, err := readFrame(c)
	if err != nil {
		return "", err
	}
	var hello struct {
		Client string `json:"client"`
	}
	if h.Op != fg1.Hello {
		return "", fmt.Errorf("op %d instead of HELLO", h.Op)
	}
	if err := json.Unmarshal(payload, &hello); err != nil {
		return "", err
	}
	_, err = c.Write(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, 1, []byte(`{"heartbeat_ms":3600000,"acks":["each"]}`)))
	return hello.Client, err
}

// send stores to sent, before they go out, how many messages a client may have
// seen.
func (s *Server) send(c net.Conn, sent *atomic.Uint64) error {
	frame := fg1.HeaderSize + s.Size
	batch := max(1, sendSize/frame)
	payload := make([]byte, s.Size)
	for i := range payload {
		payload[i] = byte(i)
	}
	block := make([]byte, 0, batch*frame)
	for range batch {
		block = fg1.AppendFrame(block, fg1.Data, 0, 0, 0, payload)
	}
	for seq := uint64(1); seq <= s.Messages; {
		n := int(min(uint64(batch), s.Messages-seq+1))
		for at := 0; at < n*frame; at += frame {
			fg1.PutHeader(block[at:], fg1.Data, 0, 0, seq, s.Size)
			seq++
		}
		sent.Store(seq - 1)
		if _, err := c.Write(block[:n*frame]); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if _, err := c.Write(fg1.AppendFrame(nil, fg1.Bye, 0, fg1.CodeOK, 0, nil)); err != nil {
		return fmt.Errorf("send BYE: %w", err)
	}
	return nil
}

// counter takes what a client sends.
type counter interface {
	take(b []byte) error
	count() uint64 // acks so far
}

// volume counts acks by their bytes.
type volume struct{ bytes uint64 }

func (v *volume) take(b []byte) error {
	v.bytes += uint64(len(b))
	return nil
}

func (v *volume) count() uint64 { return v.bytes / fg1.HeaderSize }

func receive(c net.Conn, acks counter, messages uint64) error {
	buf := make([]byte, readSize)
	for acks.count() < messages {
		n, err := c.Read(buf)
		if err != nil {
			return fmt.Errorf("receive: %d of %d acks: %w", acks.count(), messages, err)
		}
		if err := acks.take(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// finish lets the client close first, and has what it still sends checked.
func finish(c net.Conn, acks counter) error {
	if err := c.SetReadDeadline(time.Now().Add(closeTimeout)); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := c.Read(buf)
		if err := acks.take(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for the client to close: %w", err)
		}
	}
}

// processCPU is the user and system time that this process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("peers: getrusage: " + err.Error()) // it fails on bad arguments only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
