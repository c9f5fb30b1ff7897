package ws

import (
	"testing"
	"time"

	"feedgate/gateway/wire"
)

// TestStall: a message without progress for the timeout ends the connection with 1008, pongs or
// not. One that grows does not, and neither does one that is not read.
func TestStall(t *testing.T) {
	const limit = 8 * time.Second
	pong := []byte{0x8a, 0}
	for _, c := range []struct {
		name   string
		begin  []byte
		step   []byte // arrives each second
		unread bool   // Decode is not called
		after  int    // seconds; 0: never
	}{
		{name: "fragment, silence", begin: []byte{0x01, 1, 'a'}, after: 8},
		{name: "fragment, pongs", begin: []byte{0x01, 1, 'a'}, step: pong, after: 8},
		{name: "empty fragment, pongs", begin: []byte{0x01, 0}, step: pong, after: 8},
		{name: "part of a frame", begin: []byte{0x81, 100, 'a'}, after: 8},
		{name: "half a header", begin: []byte{0x81}, after: 8},
		{name: "more fragments", begin: []byte{0x01, 1, 'a'}, step: []byte{0x00, 1, 'b'}},
		{name: "more empty fragments", begin: []byte{0x01, 1, 'a'}, step: []byte{0x00, 0}},
		{name: "a frame grows", begin: []byte{0x81, 100, 'a'}, step: []byte{'b'}},
		{name: "skipped, silence", begin: []byte{0x81, 126, 0x07, 0xd0, 'a'}, after: 8},
		{name: "skipped, pongs", begin: []byte{0x02, 126, 0x03, 0xe9, 'a'}, after: 8},
		{name: "a skipped frame grows", begin: []byte{0x81, 126, 0x07, 0xd0, 'a'}, step: []byte{'b'}},
		{name: "more fragments after a skipped one", begin: append([]byte{0x02, 126, 0x03, 0xe9}, make([]byte, 1001)...), step: []byte{0x00, 1, 'b'}},
		{name: "silence after a skipped fragment", begin: append([]byte{0x02, 126, 0x03, 0xe9}, make([]byte, 1001)...), step: pong, after: 8},
		{name: "nothing begun, pongs", step: pong},
		{name: "not read", begin: []byte{0x01, 1, 'a'}, unread: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &protocol{limit: 1000, longest: 1 << 20, idle: limit}
			conn := p.newConn().(*conn)
			conn.phase = open
			buf := append([]byte(nil), c.begin...)
			in := wire.Input{Msgs: make([]wire.Msg, 0, 8)}
			if err := conn.Decode(buf, &in); err != nil {
				t.Fatal(err)
			}
			for second := 1; second <= 40; second++ {
				_, _ = conn.Tick(nil, time.Duration(second)*time.Second)
				if c.unread && second < 40 {
					continue
				}
				buf = append(buf, c.step...)
				err := conn.Decode(buf, &in)
				if (err != nil) != (c.after == second) {
					t.Fatalf("after %d s: %v", second, err)
				}
				if err != nil {
					if conn.closeCode != codePolicy {
						t.Errorf("close code %d", conn.closeCode)
					}
					return
				}
			}
		})
	}
}
