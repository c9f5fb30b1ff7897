package ws

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
)

func TestNewFaults(t *testing.T) {
	header := func(lines ...string) Config { return Config{Headers: lines} }
	for want, cfg := range map[string]Config{
		"upstream URL: the path does not begin with /":                           {Path: "s3cret"},
		"upstream URL: the path has a byte that is not visible ASCII; write":     {Path: "/s3cret b"},
		"upstream URL: the path has a byte that is not visible":                  {Path: "/s3cret\r\nX: y"},
		"upstream URL: the path has a byte that is not":                          {Path: "/s3cret\u00e9"},
		"upstream URL: the path has a #; write it as %23":                        {Path: "/a#s3cret"},
		"--ws-header: header 1: is not 'Name: value'":                            header("s3cret"),
		"--ws-header: header 1: is not 'Name: value'\n--ws-header: header 2: ":   header("s3cret", "s3cret"),
		"--ws-header: header 2: its name may only have letters, digits and":      header("A: s3cret", "s3 cret: a"),
		"--ws-header: header 1: its name may only":                               header(": s3cret"),
		"--ws-header: header 1: its name may only have":                          header("s3cret : a"),
		"--ws-header: header 1: its name may":                                    header("s3cret\u00e9: a"),
		"--ws-header: header 1: the value of X-A holds a control character":      header("X-A: s3cret\r\nB: c"),
		"--ws-header: header 1: the value of X-B holds a control character":      header("X-B: s3cret\n"),
		"--ws-header: header 1: the value of X-C holds a control character":      header("X-C: s3cret\x00"),
		"--ws-header: header 1: the value of X-D holds a control character":      header("X-D: s3cret\x7f"),
		"--ws-header: header 1: Host is the upstream's address":                  header("Host: s3cret"),
		"--ws-header: header 1: Origin is set by --ws-origin":                    header("Origin: s3cret"),
		"--ws-header: header 1: Sec-WebSocket-Protocol is set by --ws-sub":       header("Sec-WebSocket-Protocol: s3cret"),
		"--ws-header: header 1: sec-websocket-key is reserved for the handshake": header("sec-websocket-key: s3cret"),
		"--ws-header: header 1: Sec-WebSocket-Version is reserved":               header("Sec-WebSocket-Version: 8"),
		"--ws-header: header 1: Sec-WebSocket-Extensions is reserved":            header("Sec-WebSocket-Extensions: x"),
		"--ws-header: header 1: Sec-WebSocket-Anything is reserved":              header("Sec-WebSocket-Anything: x"),
		"--ws-header: header 1: UPGRADE is reserved for the handshake":           header("UPGRADE: h2c"),
		"--ws-header: header 1: Connection is reserved for the handshake":        header("Connection: close"),
		"--ws-header: header 1: Content-Length is reserved for the handshake":    header("Content-Length: 5"),
		"--ws-header: header 1: Transfer-Encoding is reserved for the handshake": header("Transfer-Encoding: chunked"),
		"--ws-header: header 1: Keep-Alive is reserved for the handshake":        header("Keep-Alive: 5"),
		"--ws-header: header 1: TE is reserved for the handshake":                header("TE: trailers"),
		"--ws-header: header 1: Trailer is reserved for the handshake":           header("Trailer: A"),
		"--ws-header: header 1: Expect is reserved for the handshake":            header("Expect: 100-continue"),
		"--ws-header: header 1: Proxy-Connection is reserved for the handshake":  header("Proxy-Connection: x"),
		"--ws-subprotocol: must be one name of letters, digits and":              {Subprotocol: "a, b"},
		"--ws-subprotocol: must be one name":                                     {Subprotocol: "a\r\nB: c"},
		"--ws-origin: has a byte that is not visible ASCII":                      {Origin: "https://a b"},
		"--ws-origin: has a byte that is not":                                    {Origin: "https://a\r\nB: c"},
		"--hello: byte 1: placeholder {n}":                                       {Hello: "{n}"},
		`--ack-template: byte 2: unknown escape \q`:                              {AckTemplate: `a\q`},
		"--heartbeat-template: byte 1: { without }":                              {HeartbeatTemplate: "{"},
		`--ignore-prefix: byte 3: unknown escape \z`:                             {IgnorePrefix: `ab\z`},
		"--heartbeat: -1s is negative":                                           {Heartbeat: -time.Second},
		"--max-message: 0 is not from 1 to 1073741824":                           {MaxMessage: -1},
		"--max-message: 1073741825 is not from 1 to":                             {MaxMessage: 1<<30 + 1},
		"upstream URL: the path does not begin with /\n--ws-origin: has a byte that is not visible ASCII; " +
			"want one such as https://example.com\n--hello: ": {Path: "x", Origin: " ", Hello: "{"},
	} {
		if cfg.MaxMessage == 0 {
			cfg.MaxMessage = 1024
		} else if cfg.MaxMessage < 0 {
			cfg.MaxMessage = 0
		}
		_, err := New(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: got error %v, want one with %s", cfg, err, want)
		}
	}
}

func TestTraits(t *testing.T) {
	for ack, want := range map[string]wire.Traits{
		"":       {Acks: wire.AcksIf(false)},
		"A{n}":   {Acks: wire.AcksIf(true)},
		"{n:u8}": {Acks: wire.AcksIf(true)},
	} {
		want.Overhead, want.PeerClosesFirst, want.CloseGrace = maxHead, true, 5*time.Second
		want.Meta, want.Version = metadata, "WebSocket 13"
		if ack != "" {
			want.NoRefusalAck = "--ack-template has no {code}"
		}
		want.AckNote = map[bool]string{true: "without --ack-template"}[ack == ""]
		p := mustNew(t, Config{AckTemplate: ack})
		want.RenderAcks = ack != ""
		if got := p.Traits; !reflect.DeepEqual(got, want) {
			t.Errorf("ack template %q: %+v, want %+v", ack, got, want)
		}
	}
}
