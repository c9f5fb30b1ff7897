package fgcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
)

// welcome is a decoded WELCOME.
type welcome struct {
	seq          uint64
	session      string
	each, ranges bool // ack modes offered
}

// refusal is what the server did instead of sending WELCOME.
type refusal struct {
	bye   bool
	code  uint16 // of BYE
	cause error  // if not BYE
}

// describe describes the refusal, or any other end of a connection.
func (k *checker) describe(r refusal) string {
	switch {
	case r.bye:
		return fmt.Sprintf("BYE code %d", r.code)
	case r.cause == errQuiet:
		return fmt.Sprintf("nothing within %v", k.cfg.Timeout)
	case r.cause == errEnded:
		return "the connection ended without BYE"
	default:
		return "another broken rule ended the connection"
	}
}

// hello connects and logs in. The conn is nil if the server refused.
func (k *checker) hello(session string, seq uint64, token []byte) (*conn, refusal, error) {
	c, err := k.dial()
	if err != nil {
		return nil, refusal{}, err
	}
	payload, err := json.Marshal(map[string]any{
		"version": 1, "client": k.cfg.Client, "session": session, "token": string(token),
	})
	if err != nil {
		panic(err) // strings and a number always encode
	}
	c.limit(k.cfg.Timeout)
	c.send(fg1.Hello, 0, seq, payload)
	for {
		e, err := c.event()
		switch {
		case err != nil:
			c.close()
			return nil, refusal{cause: err}, nil
		case e.Op == fg1.Bye:
			c.farewell()
			return nil, refusal{bye: true, code: e.Code}, nil
		case e.Op == fg1.Welcome:
			k.report.keep(login, welcomeFirst)
			c.welcomed, c.welcome = true, k.decodeWelcome(e)
			c.stream.first = e.Seq
			return c, refusal{}, nil
		}
	}
}

// begin logs in for the first time. Without a conn, nothing else can be tested.
func (k *checker) begin() (*conn, error) {
	c, refused, err := k.hello("", 0, k.cfg.Token)
	if err != nil {
		return nil, err
	}
	switch {
	case c != nil:
		k.session, k.base = c.welcome.session, c.welcome.seq
		k.each, k.ranges = c.welcome.each, c.welcome.ranges
		return c, nil
	case refused.bye && refused.code == fg1.CodeBadToken && k.cfg.Token == nil:
		return nil, untested("%s requires a token: --token-file", k.cfg.Address)
	case refused.bye && refused.code == fg1.CodeBadToken:
		return nil, untested("--token-file: %s refuses the token", k.cfg.Address)
	case refused.bye && refused.code == fg1.CodeShuttingDown:
		return nil, untested("%s is shutting down (BYE 6)", k.cfg.Address)
	case refused.cause != errFault:
		k.report.broke(login, "%s", k.describe(refused))
	}
	return nil, nil
}

// resume logs in to the session, which must have been cut. Like a gateway, it tries again while the
// server has not noticed the cut. The conn is nil if the server does not log in.
func (k *checker) resume(seq uint64) (*conn, error) {
	deadline := time.Now().Add(k.cfg.Timeout)
	for {
		c, refused, err := k.hello(k.session, seq, k.cfg.Token)
		if err != nil {
			return nil, err
		}
		if c != nil {
			c.stream.top, c.stream.unsure = k.top, k.report.isBroken(resumeSeq)
			return c, nil
		}
		if refused.cause == errFault {
			return nil, nil
		}
		if refused.cause == errQuiet {
			err := k.noAnswer(login, "%s to HELLO with the session's name", k.describe(refused))
			k.session = ""
			return nil, err
		}
		if time.Now().After(deadline) {
			k.report.broke(login, "%s to HELLO with the session's name", k.describe(refused))
			k.session = "" // later steps need any session
			return nil, nil
		}
		select {
		case <-k.ctx.Done():
		case <-time.After(retryWait):
		}
	}
}

const retryWait = 50 * time.Millisecond

// decodeWelcome decodes and checks WELCOME.
func (k *checker) decodeWelcome(e event) welcome {
	r, w := k.report, welcome{seq: e.Seq, each: true}
	payload := bytes.TrimPrefix(e.payload, []byte(wire.BOM))
	var fields struct {
		Session     json.RawMessage `json:"session"`
		HeartbeatMS *int64          `json:"heartbeat_ms"`
		Acks        []string        `json:"acks"`
	}
	if len(payload) > 0 {
		if !utf8.Valid(payload) {
			r.broke(welcomeJSON, "WELCOME seq %d: %d bytes that are not UTF-8", e.Seq, len(payload))
			k.skipWelcome()
			return w
		}
		if json.Unmarshal(payload, &fields) != nil {
			r.broke(welcomeJSON, "WELCOME seq %d: %d bytes that are not the JSON expected", e.Seq, len(payload))
			k.skipWelcome()
			return w
		}
	}
	var ok bool
	if w.session, ok = sessionName(fields.Session); !ok {
		r.broke(welcomeJSON, "WELCOME seq %d: session is not a string of whole characters", e.Seq)
	}
	r.keep(welcomeJSON)
	if ms := fields.HeartbeatMS; ms != nil {
		if *ms < 100 || *ms > 3_600_000 {
			r.broke(heartbeat, "WELCOME seq %d: heartbeat_ms %d", e.Seq, *ms)
		}
		r.keep(heartbeat)
	}
	if fields.Acks != nil {
		w.each, w.ranges = slices.Contains(fields.Acks, "each"), slices.Contains(fields.Acks, "range")
		if !w.each && !w.ranges {
			r.broke(ackModes, "WELCOME seq %d: none of them among %d in acks", e.Seq, len(fields.Acks))
		}
		r.keep(ackModes)
	}
	return w
}

// skipWelcome records why the fields of WELCOME are not seen.
func (k *checker) skipWelcome() {
	k.report.skip(heartbeat, "see welcome-json")
	k.report.skip(ackModes, "see welcome-json")
}

// sessionName decodes the name; false if it is no string, or has half of a surrogate pair, which
// package json replaces by U+FFFD.
func sessionName(literal json.RawMessage) (name string, ok bool) {
	if literal == nil {
		return "", true
	}
	if json.Unmarshal(literal, &name) != nil {
		return "", false
	}
	const replacement = "\uFFFD"
	meant := bytes.Count(literal, []byte(replacement)) + strings.Count(strings.ToLower(string(literal)), `\ufffd`)
	if strings.Count(name, replacement) > meant {
		return "", false
	}
	return name, true
}
