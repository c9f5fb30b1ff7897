package ws

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// outlet is a net.Conn that keeps the bytes of each Write.
type outlet struct {
	net.Conn
	writes [][]byte
	err    error
}

func (o *outlet) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	o.writes = append(o.writes, bytes.Clone(p))
	return len(p), nil
}

func TestHeldBackAcksAreSentByOneWrite(t *testing.T) {
	o := new(outlet)
	c := &conn{Conn: o}
	write := func(hold bool, text string) {
		t.Helper()
		c.hold.Store(hold)
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	write(false, "alone")
	write(true, "one ")
	write(true, "two ")
	write(false, "three")
	write(false, "alone again")
	want := []string{"alone", "one two three", "alone again"}
	if len(o.writes) != len(want) {
		t.Fatalf("writes %q, want %q", o.writes, want)
	}
	for i := range want {
		if string(o.writes[i]) != want[i] {
			t.Errorf("write %d: %q, want %q", i, o.writes[i], want[i])
		}
	}

	o.err = errors.New("no more")
	write(true, "four ")
	c.hold.Store(false)
	if _, err := c.Write([]byte("five")); !errors.Is(err, o.err) {
		t.Errorf("error %v", err)
	}
}

// TestCloseIsReturnedAfterDrain: however the stream is split, Read returns the bytes before Close,
// then drain is called once, then Read returns Close.
func TestCloseIsReturnedAfterDrain(t *testing.T) {
	before := "HTTP/1.1 101\r\nA: \r\r\n\r\n" + "\x81\x03abc" + "\x01\x00" + "\x89\x00" + "\x80\x02de"
	closing := "\x88\x02\x03\xe8" + "\x81\x01"
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"half":  iotest.HalfReader,
		"bytes": iotest.OneByteReader,
	} {
		t.Run(name, func(t *testing.T) {
			var got, drained []byte
			drains := 0
			c := &conn{in: reader(bytes.NewReader([]byte(before + closing)))}
			c.drain = func() error {
				if drains++; drains == 1 {
					drained = bytes.Clone(got)
				}
				return nil
			}
			for p := make([]byte, 1000); ; {
				n, err := c.Read(p)
				got = append(got, p[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != before+closing || string(drained) != before || drains == 0 {
				t.Errorf("read %q, of that %q before drain was called", got, drained)
			}
		})
	}
}

func TestStreamWithoutCloseIsUnexpectedEOF(t *testing.T) {
	c := &conn{in: bytes.NewReader([]byte("HTTP/1.1 101\r\n\r\n\x81\x03abc"))}
	if _, err := io.ReadAll(c); err != io.ErrUnexpectedEOF {
		t.Errorf("error %v", err)
	}
}

// refusing is a socket whose writes fail.
type refusing struct {
	socket
	writes int
}

var errRefused = errors.New("refused")

func (r *refusing) write([]byte) error {
	r.writes++
	return errRefused
}

func TestFailedWriterClosesAndKeepsReceiving(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	acks, written := make(chan uint64), make(chan error, 1)
	s := new(refusing)
	go func() { written <- writeAcks(s, &conn{Conn: near}, acks) }()
	for n := range uint64(3) {
		acks <- n + 1
	}
	close(acks)
	if err := <-written; !errors.Is(err, errRefused) || s.writes != 1 {
		t.Errorf("%d writes, error %v", s.writes, err)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other side reads %v", err)
	}
}
