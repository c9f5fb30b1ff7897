package nsq

import (
	"testing"

	"feedgate/gateway/wire"
)

// TestNeed: a connection never waits for more contiguous bytes of a message than it will return.
func TestNeed(t *testing.T) {
	large := get(1, bodyOf(testLimit+1))
	for name, c := range map[string]struct {
		behind []byte
		need   int
	}{
		"nothing":                     {nil, 8},
		"half a head":                 {get(1, "abc")[:5], 8},
		"a head":                      {get(1, "abc")[:8], 37},
		"all but a byte":              {get(1, "abc")[:36], 37},
		"behind a message":            {cat(get(1, "abc"), get(2, "de")[:20]), 36},
		"the longest message":         {get(1, bodyOf(testLimit))[:100], 34 + testLimit},
		"too large, half a head":      {large[:33], 34},
		"too large, a head":           {large[:34], 0},
		"too large, all but a byte":   {large[:len(large)-1], 0},
		"too large, and nothing more": {large, 8},
		"a response":                  {response("_heartbeat_")[:8], 19},
		"an error":                    {errorFrame("E_FIN_FAILED x")[:8], 22},
	} {
		p := mustNew(t, testConfig())
		conn := p.NewConn()
		conn.AppendHello(nil, wire.Hello{})
		stream := in(c.behind)
		in := wire.Input{Msgs: make([]wire.Msg, 0, 4)}
		for range 2 { // the first stops after the login
			if in.Event = (wire.Event{}); conn.Decode(stream, &in) != nil {
				t.Fatal(name)
			}
		}
		if in.Need != c.need {
			t.Errorf("%s: %d, want %d", name, in.Need, c.need)
		}
	}
}
