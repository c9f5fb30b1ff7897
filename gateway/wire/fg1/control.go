package fg1

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
)

type welcome struct {
	Session     name     `json:"session"`
	HeartbeatMS *int64   `json:"heartbeat_ms"`
	Acks        []string `json:"acks"`
}

func (c *conn) control(h Header, payload []byte, in *wire.Input) *wire.Error {
	switch h.Op {
	case Ping:
		in.Out = AppendFrame(in.Out, Pong, 0, 0, h.Seq, nil)
	case Bye:
		c.closed = true
		in.Event = wire.Event{
			Kind: wire.EventClose, Code: wire.CloseCode(h.Code),
			Clean: h.Code == CodeOK || h.Code == CodeShuttingDown,
			Fault: c.drop(in),
		}
	case Welcome:
		return c.welcome(h, payload, in)
	}
	return nil
}

func (c *conn) welcome(h Header, payload []byte, in *wire.Input) *wire.Error {
	var w welcome
	payload = bytes.TrimPrefix(payload, []byte(wire.BOM))
	if !utf8.Valid(payload) {
		return wire.Errorf(wire.BadUTF8, wire.CloseProtocolError, "WELCOME: payload of %d bytes is not UTF-8", len(payload))
	}
	if len(payload) > 0 {
		switch err := json.Unmarshal(payload, &w); {
		case errors.Is(err, errSurrogate):
			return wire.Errorf(wire.BadUTF8, wire.CloseProtocolError, "WELCOME: session: %v", errSurrogate)
		case err != nil:
			return wire.Errorf(wire.BadJSON, wire.CloseProtocolError, "WELCOME: payload of %d bytes is not the JSON expected", len(payload))
		}
	}
	if w.HeartbeatMS != nil {
		if *w.HeartbeatMS < 100 || *w.HeartbeatMS > 3_600_000 {
			return wire.Errorf(wire.Login, wire.CloseProtocolError, "WELCOME: heartbeat_ms %d is not in 100 to 3600000", *w.HeartbeatMS)
		}
		c.ping.Interval = time.Duration(*w.HeartbeatMS) * time.Millisecond
	}
	c.welcomed = true
	in.Event = wire.Event{Kind: wire.EventReady, Session: string(w.Session), First: h.Seq, Each: w.Acks == nil}
	for _, mode := range w.Acks {
		switch mode {
		case "each":
			in.Event.Each = true
		case "range":
			in.Event.Cumulative = true
		}
	}
	return nil
}
