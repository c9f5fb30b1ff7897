package nsq

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func appendFrame(dst []byte, kind uint32, data string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)+4))
	return append(binary.BigEndian.AppendUint32(dst, kind), data...)
}

// converse runs the client on a stream that arrives in pieces of these sizes, in turn, and returns
// what it sends after RDY.
func converse(stream []byte, pieces []int, work func([]byte)) (sent string, in inline, err error) {
	near, far := net.Pipe()
	defer near.Close()
	_ = far.SetDeadline(time.Now().Add(time.Minute))
	received := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(far) // ends when near is closed
		received <- all
	}()
	go func() {
		for turn := 0; len(stream) > 0; turn++ {
			n := min(pieces[turn%len(pieces)], len(stream))
			if _, err := far.Write(stream[:n]); err != nil {
				return
			}
			stream = stream[n:]
		}
		// Not Close: the client's last commands must still be read.
		_ = near.SetReadDeadline(time.Now())
	}()
	in = inline{work: work, buf: make([]byte, 200)}
	err = in.run(near)
	near.Close()
	_, sent, _ = strings.Cut(string(<-received), "\nRDY 2500\n")
	far.Close()
	return sent, in, err
}

// TestInlineHandlesSplitFrames: every message is processed and finished in order, and every
// heartbeat answered in its place.
func TestInlineHandlesSplitFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := appendFrame(appendFrame(nil, kindResponse, `{"version":"1.3.0"}`), kindResponse, "OK")
		var want strings.Builder
		var bodies []string
		for n := range rapid.IntRange(0, 20).Draw(t, "frames") {
			if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
				stream = appendFrame(stream, kindResponse, "_heartbeat_")
				want.WriteString(nop)
				continue
			}
			id := fmt.Sprintf("%016x", n)
			body := strings.Repeat("FIN \n", rapid.IntRange(0, 100).Draw(t, "size"))
			stream = appendFrame(stream, kindMessage, "timestmp"+"\x00\x01"+id+body)
			bodies = append(bodies, body)
			fmt.Fprintf(&want, "FIN %s\n", id)
		}
		pieces := rapid.SliceOfN(rapid.IntRange(1, 300), 1, 10).Draw(t, "pieces")
		sent, in, err := converse(stream, pieces, func(msg []byte) {
			if len(bodies) == 0 || string(msg) != bodies[0] {
				t.Fatalf("a message of %d bytes comes out of turn, or changed", len(msg))
			}
			bodies = bodies[1:]
		})
		if e, ok := err.(net.Error); !ok || !e.Timeout() { // what ends it here
			t.Fatal(err)
		}
		if len(bodies) > 0 || sent != want.String() {
			t.Fatalf("%d messages were not worked on; the client sent %q, want %q", len(bodies), sent, want.String())
		}
		if in.res.Messages != uint64(strings.Count(want.String(), "FIN")) {
			t.Fatalf("result %+v", in.res)
		}
	})
}

func TestInlineReportsInvalidFrames(t *testing.T) {
	for name, c := range map[string]struct {
		stream []byte
		want   string
	}{
		"error":         {appendFrame(nil, kindError, "E_BAD_TOPIC SUB secret"), `"E_BAD_TOPIC"`},
		"short message": {appendFrame(nil, kindMessage, "too short"), "kind 2"},
		"unknown kind":  {appendFrame(nil, 3, "whatever"), "kind 3"},
		"no kind":       {[]byte{0, 0, 0, 3, 0, 0, 0, 0}, "7 bytes"},
		"too long":      {[]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2}, "4294967299 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, in, err := converse(bytes.Clone(c.stream), []int{1000}, func([]byte) { t.Error("worked on") })
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if in.res.Messages != 0 {
				t.Errorf("result %+v", in.res)
			}
		})
	}
}
