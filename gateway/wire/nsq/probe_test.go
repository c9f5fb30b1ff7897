package nsq

import (
	"strings"
	"testing"

	"feedgate/gateway/wire"
)

// TestProbe: a probe logs in and does not subscribe, with and without AUTH.
func TestProbe(t *testing.T) {
	for answers, auth := range map[string]bool{
		string(response(`{}`)): false,
		string(response(`{"auth_required":true}`)) + string(response(`{"identity":"me"}`)): true,
	} {
		c := mustNew(t, testConfig()).NewConn()
		hello := string(c.AppendHello(nil, wire.Hello{Client: "me", Token: []byte("s3cret"), Probe: true}))
		if !strings.Contains(hello, "IDENTIFY\n") {
			t.Errorf("hello %q", hello)
		}
		in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
		for err := c.Decode([]byte(answers), &in); in.Event.Kind == wire.EventNone; err = c.Decode([]byte(answers), &in) {
			if err != nil || in.Scan == len(answers) {
				t.Fatalf("no event; error %v", err)
			}
		}
		if sent := string(in.Out); in.Event.Kind != wire.EventReady ||
			strings.Contains(sent, "SUB") || strings.Contains(sent, "RDY") || strings.Contains(sent, "AUTH") != auth {
			t.Errorf("event %v, sent %q", in.Event, sent)
		}
	}
}
