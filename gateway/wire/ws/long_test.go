package ws

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

func requestTo(host string) wire.Hello { return wire.Hello{Host: host} }

// opened returns a connection after its handshake.
func opened(t wiretest.T, p *wire.Codec) wire.Conn {
	t.Helper()
	c := p.NewConn()
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	if err := c.Decode(answer(t, c.AppendHello(nil, requestTo("a:1"))), &in); err != nil || in.Event.Kind != wire.EventReady {
		t.Fatalf("%v, event %+v", err, in.Event)
	}
	return c
}

// longest is the size of the messages that test how time grows with size.
const longest = 16 << 20

// TestLongMessages: each byte is examined a bounded number of times, in however many pieces a
// message arrives. Otherwise this test does not end.
func TestLongMessages(t *testing.T) {
	p := mustNew(t, Config{MaxMessage: longest})
	beyond := strings.Repeat("\u20ac", longest/3) + "a"
	for name, m := range map[string]message{
		"beyond ASCII": asText(beyond), "binary": asBin(bytesOf(longest)),
	} {
		stream := m.frame()
		for plan, steps := range map[string][]int{"whole": nil, "997 bytes": {997}} {
			t.Run(name+" "+plan, func(t *testing.T) {
				got, err := run(t, p, stream, wiretest.Plan{Buffer: len(stream) + 256, Msgs: 2, Steps: steps})
				if diff := got.diff(gets(m)); diff != "" {
					t.Fatalf("%s (error: %v)", diff, err)
				}
			})
		}
	}
	size := longest
	if testing.Short() {
		size /= 16 // enough: time that grows with the square would be minutes
	}
	for name, m := range map[string]message{
		"ascii": asText(ascii(longest / 16)), "beyond ASCII": asText(beyond[:size/3*3]), "binary": asBin(bytesOf(longest / 16)),
	} {
		t.Run(name+" 1 byte", func(t *testing.T) { byteByByte(t, opened(t, p), m) })
	}
}

// byteByByte feeds a message of one frame without the driver, which would take most of
// the time.
func byteByByte(t *testing.T, c wire.Conn, m message) {
	stream := m.frame()
	in := wire.Input{Msgs: make([]wire.Msg, 0, 2)}
	for n := range stream {
		if err := c.Decode(stream[:n:n], &in); err != nil || len(in.Msgs) > 0 || in.Scan > 0 {
			t.Fatalf("after %d bytes: %v, %d messages", n, err, len(in.Msgs))
		}
	}
	if err := c.Decode(stream, &in); err != nil || len(in.Msgs) != 1 {
		t.Fatalf("%v, %d messages", err, len(in.Msgs))
	}
	got := in.Msgs[0]
	if string(stream[got.Off:got.Off+got.Len]) != m.data || got.Seq != 1 || got.Tag == textTag != m.text {
		t.Errorf("got %+v", got)
	}
}

// TestLongMessageInFragments joins 16 MiB of fragments of 257 bytes, with a UTF-8 sequence across
// every border, within the limit for fragments.
func TestLongMessageInFragments(t *testing.T) {
	p := mustNew(t, Config{MaxMessage: longest})
	data := strings.Repeat("\u20ac", longest/3) + "a"
	var stream []byte
	op := byte(opText)
	for at := 0; at < len(data); at += 257 {
		end := min(at+257, len(data))
		if end == len(data) {
			op |= finBit
		}
		stream = append(stream, frame(op, data[at:end])...)
		op = byte(opContinuation)
	}
	got, err := run(t, p, stream, wiretest.Plan{Buffer: len(stream) + 256, Msgs: 2, Steps: []int{9973}})
	if diff := got.diff(gets(asText(data))); diff != "" {
		t.Fatalf("%s (error: %v)", diff, err)
	}
}

// TestPingFlood answers 10,000 pings, all of them and in order (RFC 6455 5.5.2).
func TestPingFlood(t *testing.T) {
	p := mustNew(t, Config{})
	for name, between := range map[string][]byte{"alone": nil, "with messages": text("a")} {
		t.Run(name, func(t *testing.T) {
			var stream []byte
			want := gets()
			for i := range 10_000 {
				body := strconv.Itoa(i) + ascii(i%120)
				stream = append(append(stream, ping(body)...), between...)
				want.pongs = append(want.pongs, body)
				if between != nil {
					want.msgs = append(want.msgs, asText("a"))
				}
			}
			check(t, p, stream, want)
		})
	}
}

// TestPingFloodWithinAMessage answers 10,000 pings between two fragments.
func TestPingFloodWithinAMessage(t *testing.T) {
	want := pongs(nil, asText("ab"))
	for i := range 10_000 {
		want.pongs = append(want.pongs, strconv.Itoa(i))
	}
	stream := textOn("a")
	for _, body := range want.pongs {
		stream = append(stream, ping(body)...)
	}
	check(t, mustNew(t, Config{}), append(stream, last("b")...), want)
}

// TestKeysOfFramesAreFresh: RFC 6455 5.3, "the masking key [...] MUST be unpredictable".
func TestKeysOfFramesAreFresh(t *testing.T) {
	c := opened(t, mustNew(t, Config{}))
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	if err := c.Decode(bytes.Repeat(ping("p"), 1000), &in); err != nil {
		t.Fatal(err)
	}
	keys := map[uint32]bool{}
	for _, f := range clientFrames(t, in.Out) {
		keys[f.key] = true
	}
	if len(keys) < 990 { // two of 1,000 are the same once in 8,600 runs
		t.Errorf("%d keys for 1000 frames", len(keys))
	}
}
