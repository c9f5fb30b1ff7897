package nsq

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"feedgate/bench/baselines"
)

// Inline does everything on one goroutine and ignores workers: it reads what is available, writes
// the commands over the processed messages, and sends them at once.
func Inline(ctx context.Context, addr string, _ int, work func(msg []byte)) (baselines.Result, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return baselines.Result{}, fmt.Errorf("inline: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := inline{work: work, buf: make([]byte, readSize)}
	err = in.run(c)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return in.res, fmt.Errorf("inline: %w", err)
	}
	return in.res, nil
}

// Offsets in frames of nsqd (NSQ TCP protocol spec, https://nsq.io/clients/tcp_protocol_spec.html):
//
//	0     4     8                      every frame: size of the rest, kind
//	8     16    18    34               a message: timestamp, attempts, ID, body
const (
	kindAt = 4
	dataAt = 8
	idAt   = 18
	bodyAt = 34

	kindResponse = 0
	kindError    = 1
	kindMessage  = 2
)

const (
	// readSize is as in package baselines.
	readSize = 256 << 10
	// maxFrame is nsqd's default for the longest message, plus its header.
	maxFrame = bodyAt + 1<<20
	hello    = `{"client_id":"inline","feature_negotiation":true,"output_buffer_size":65536,"output_buffer_timeout":25}`
	fin      = "FIN "
	nop      = "NOP\n"
)

// inline has a buffer of, in this order: commands to send, processed bytes, and bytes to parse.
//
//	0 <= unsent <= at <= have <= len(buf)
//
// unsent cannot overtake at, because no frame is shorter than the command for it.
type inline struct {
	work             func([]byte)
	buf              []byte
	unsent, at, have int
	res              baselines.Result
}

func (in *inline) run(c net.Conn) error {
	start := binary.BigEndian.AppendUint32([]byte("  V2IDENTIFY\n"), uint32(len(hello)))
	start = fmt.Appendf(start, "%sSUB %s %s\nRDY %d\n", hello, name, name, maxInFlight)
	if _, err := c.Write(start); err != nil {
		return err
	}
	for {
		n, err := c.Read(in.buf[in.have:])
		// NSQ has no message for the end. If nsqd has not read everything, such as a NOP, its close
		// is a reset.
		if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		if err != nil {
			return err
		}
		in.have += n
		if err := in.parse(); err != nil {
			return err
		}
		if in.unsent > 0 {
			if _, err := c.Write(in.buf[:in.unsent]); err != nil {
				return err
			}
		}
		in.shift()
	}
}

func (in *inline) parse() error {
	for {
		b := in.buf[in.at:in.have]
		if len(b) < dataAt {
			return nil
		}
		size := int64(binary.BigEndian.Uint32(b)) + kindAt
		if size < dataAt || size > maxFrame {
			return fmt.Errorf("nsqd sent a frame of %d bytes", size)
		}
		if size > int64(len(b)) {
			return nil
		}
		b = b[:size:size]
		in.at += len(b)
		if err := in.frame(b); err != nil {
			return err
		}
	}
}

func (in *inline) frame(b []byte) error {
	switch kind := binary.BigEndian.Uint32(b[kindAt:]); {
	case kind == kindMessage && len(b) >= bodyAt:
		in.work(b[bodyAt:])
		in.res.Messages++
		in.res.Bytes += uint64(len(b) - bodyAt)
		in.unsent += copy(in.buf[in.unsent:], fin)
		in.unsent += copy(in.buf[in.unsent:], b[idAt:bodyAt])
		in.buf[in.unsent] = '\n'
		in.unsent++
	case kind == kindResponse:
		if string(b[dataAt:]) == "_heartbeat_" {
			in.unsent += copy(in.buf[in.unsent:], nop)
		}
	case kind == kindError:
		code, _, _ := strings.Cut(string(b[dataAt:]), " ")
		return fmt.Errorf("nsqd sent the error %.40q", code)
	default:
		return fmt.Errorf("nsqd sent a frame of kind %d and %d bytes", kind, len(b))
	}
	return nil
}

// shift moves the bytes to parse to the front. It enlarges the buffer if a message does not fit.
func (in *inline) shift() {
	to := in.buf
	if in.at == 0 && in.have == len(to) {
		to = make([]byte, maxFrame)
	}
	in.have = copy(to, in.buf[in.at:in.have])
	in.buf, in.unsent, in.at = to, 0, 0
}
