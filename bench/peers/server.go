package peers

import (
	"encoding/json"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire/fg1"
)

// sendSize is how much the server gives the kernel at once.
const sendSize = 256 << 10

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
	start, cpu := time.Now(), processCPU()
	fd, err := takeDescriptor(c)
	if err != nil {
		return served, err
	}
	defer unix.Close(fd)
	x := &exchange{s: s, fd: fd, acks: new(volume)}
	if served.Verified {
		x.acks = newLedger(s.Messages, &x.sent, x)
	}
	err = x.run()
	served.Elapsed, served.CPU = time.Since(start), processCPU()-cpu
	served.Messages = min(x.acks.count(), s.Messages) // by volume, BYE counts as well
	if err == nil {
		err = finish(fd, x.acks)
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

// finish lets the client close first, and has what it still sends checked.
func finish(fd int, acks counter) error {
	wait := unix.NsecToTimeval(closeTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("waiting for the client to close: %w", err)
		case n == 0:
			return nil
		}
		if err := acks.take(buf[:n]); err != nil {
			return err
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
