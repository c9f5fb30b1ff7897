package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// TestVolumeEveryMessageAckedOnce: 64-byte messages, sent as fast as possible. It does not run in
// parallel with other tests.
func TestVolumeEveryMessageAckedOnce(t *testing.T) {
	count := uint64(5_000_000)
	if testing.Short() || raceBuild {
		count = 500_000
	}
	s := listenFG(t)
	p := run(t, s.url(), "--exit-on-close", "--workers=2")
	c := s.accept()
	c.welcome(1, `{"session":"volume"}`)
	began := time.Now()
	f := &flood{conn: c.Conn, in: bufio.NewReaderSize(c.in, 256<<10), count: count, size: 64}
	f.serve(t)
	t.Logf("%d messages in %v", count, time.Since(began))
	p.exit(0)
}

// flood sends count messages of size bytes, numbered from 1, and BYE, and meanwhile reads all acks.
type flood struct {
	conn  net.Conn
	in    io.Reader
	count uint64
	size  int
	// ordered requires the acks to be in order.
	ordered bool

	// writing prevents a PONG inside a DATA frame.
	writing sync.Mutex
}

// floodBatch is the number of messages per write.
const floodBatch = 4096

// volumePatience bounds a whole flood.
const volumePatience = 90 * time.Second

func (f *flood) serve(t *testing.T) {
	t.Helper()
	if err := f.conn.SetDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- f.write() }()
	err := f.readAcks()
	if err != nil {
		// The writer may be blocked, if the gateway no longer reads.
		f.conn.Close()
	}
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	if err := f.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func (f *flood) write() error {
	frameSize := frameBytes + f.size
	batch := make([]byte, 0, floodBatch*frameSize)
	message := make([]byte, f.size)
	for i := range message {
		message[i] = byte('a' + i%26)
	}
	for range floodBatch {
		batch = frame{op: opData, payload: message}.append(batch)
	}
	for seq := uint64(1); seq <= f.count; {
		n := int(min(floodBatch, f.count-seq+1))
		for i := range n {
			binary.BigEndian.PutUint64(batch[i*frameSize+8:], seq)
			seq++
		}
		if err := f.put(batch[:n*frameSize]); err != nil {
			return fmt.Errorf("sending up to %d: %w", seq, err)
		}
	}
	return f.put(bye(0).append(nil))
}

func (f *flood) put(b []byte) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	_, err := f.conn.Write(b)
	return err
}

// readAcks reads to the end of the stream. It checks that every message is acked once, with code 0,
// and that BYE is the last frame.
func (f *flood) readAcks() error {
	seen := make([]uint64, f.count/64+1)
	acked, ended := uint64(0), false
	for {
		r, err := readFrame(f.in)
		switch {
		case errors.Is(err, io.EOF):
			if acked != f.count || !ended {
				return fmt.Errorf("stream ended after %d of %d acks, BYE: %v", acked, f.count, ended)
			}
			return nil
		case err != nil:
			return fmt.Errorf("after %d of %d acks: %w", acked, f.count, err)
		case ended:
			return fmt.Errorf("after BYE: %v", r)
		case r.op == opBye:
			ended = true
		case r.op == opPing:
			// A closing gateway may not accept it.
			_ = f.put(frame{op: opPong, seq: r.seq}.append(nil))
		case r.op != opAck || r.code != 0 || r.seq == 0 || r.seq > f.count:
			return fmt.Errorf("unexpected %v", r)
		case seen[r.seq/64]&(1<<(r.seq%64)) != 0:
			return fmt.Errorf("seq %d acknowledged twice", r.seq)
		case f.ordered && r.seq != acked+1:
			return fmt.Errorf("ack of %d after %d", r.seq, acked)
		default:
			seen[r.seq/64] |= 1 << (r.seq % 64)
			acked++
		}
	}
}
