package fgcheck

import (
	"crypto/rand"
	"slices"

	"feedgate/gateway/wire/fg1"
)

// wrongToken logs in with tokens that are not the server's.
func (k *checker) wrongToken() error {
	wrong := []byte("feedgate-check-" + rand.Text())
	for _, token := range [][]byte{wrong, nil} {
		if token == nil && k.cfg.Token == nil {
			continue // it is the right one
		}
		k.doing = badToken
		c, refused, err := k.hello("", 0, token)
		switch {
		case err != nil:
			return err
		case c != nil && k.cfg.Token == nil:
			k.report.skip(badToken, "the server requires no token; require one, and use --token-file")
			c.leave()
		case c != nil:
			k.report.broke(badToken, "WELCOME seq %d", c.welcome.seq)
			c.leave()
		case refused.bye && refused.code == fg1.CodeBadToken:
			k.report.keep(badToken)
		case refused.cause == errQuiet:
			if err := k.noAnswer(badToken, "%s", k.describe(refused)); err != nil {
				return err
			}
		case refused.cause != errFault:
			k.report.broke(badToken, "%s", k.describe(refused))
		}
	}
	return nil
}

// unknownSession logs in with the name of a session that never was, as a gateway does when the
// server has lost its memory. If the server claims to resume it, a gateway takes the messages up to
// HELLO's seq for ones that it has had.
func (k *checker) unknownSession() error {
	const seq = 7
	name := "feedgate-check-" + rand.Text()
	k.doing = newSession
	c, refused, err := k.hello(name, seq, k.cfg.Token)
	switch {
	case err != nil:
		return err
	case refused.cause == errQuiet:
		return k.noAnswer(newSession, "%s", k.describe(refused))
	case c == nil:
		if refused.cause != errFault {
			k.report.broke(newSession, "%s", k.describe(refused))
		}
		return nil
	case c.welcome.session == name && c.welcome.seq <= seq:
		k.report.broke(newSession, "WELCOME seq %d with the name of HELLO seq %d", c.welcome.seq, seq)
	default:
		k.report.keep(newSession)
	}
	c.leave()
	return nil
}

// badFrame is a frame that the server must refuse.
type badFrame struct {
	rule     rule
	loggedIn bool // sent after the login
	frame    []byte
	codes    []uint16 // of BYE
}

const (
	unknownOp   = 99
	unknownFlag = 0x80
	shortLength = 3
)

// badFrames sends each bad frame on a connection of its own.
func (k *checker) badFrames() error {
	short := fg1.AppendFrame(nil, fg1.Ping, 0, 0, 1, nil)
	copy(short, []byte{0, 0, 0, shortLength})
	other, request := fg1.CodeProtocolError, fg1.CodeBadRequest
	for _, b := range []badFrame{
		{refuseFirst, false, fg1.AppendFrame(nil, fg1.Ack, 0, 0, 1, nil), []uint16{other, request}},
		{refuseHello, false, fg1.AppendFrame(nil, fg1.Hello, 0, 0, 0, []byte(`{"version":1,`)), []uint16{request, other}},
		{refuseLength, true, short, []uint16{other}},
		{refuseOp, true, fg1.AppendFrame(nil, unknownOp, 0, 0, 1, nil), []uint16{other}},
		{refuseFlags, true, fg1.AppendFrame(nil, fg1.Pong, unknownFlag, 0, 1, nil), []uint16{other}},
	} {
		c, err := k.open(b)
		if err != nil {
			return err
		}
		if c == nil {
			k.report.skip(b.rule, "no login succeeded before it")
			continue
		}
		if err := k.refused(c, b); err != nil {
			return err
		}
	}
	return nil
}

// open connects for a bad frame.
func (k *checker) open(b badFrame) (*conn, error) {
	if !b.loggedIn {
		return k.dial()
	}
	return k.enter()
}

// enter logs in, to the tested session if there is one.
func (k *checker) enter() (*conn, error) {
	if k.session != "" {
		return k.resume(0)
	}
	c, _, err := k.hello("", 0, k.cfg.Token)
	return c, err
}

// refused sends a bad frame and checks the answer. After the login, a PING follows: its PONG shows
// that the server continues.
func (k *checker) refused(c *conn, b badFrame) error {
	k.doing, c.bad = b.rule, true
	frames := slices.Clone(b.frame)
	if b.loggedIn {
		seq := k.pingSeq()
		c.pings = append(c.pings, seq)
		frames = fg1.AppendFrame(frames, fg1.Ping, 0, 0, seq, nil)
	}
	c.limit(k.cfg.Timeout)
	c.sendRaw(frames)
	for {
		e, err := c.event()
		switch {
		case err == errFault:
			c.close()
			return nil
		case err == errQuiet:
			c.close()
			return k.noAnswer(b.rule, "%s", k.describe(refusal{cause: err}))
		case err != nil:
			k.report.broke(b.rule, "%s", k.describe(refusal{cause: err}))
			c.close()
			return nil
		case e.Op == fg1.Bye && c.mayEnd(e.Code):
			k.report.skip(b.rule, "BYE code %d came before; send more messages, and BYE after their acks", e.Code)
			c.farewell()
			return nil
		case e.Op == fg1.Bye:
			if !slices.Contains(b.codes, e.Code) {
				k.report.broke(b.rule, "BYE code %d", e.Code)
			}
			k.report.keep(b.rule)
			c.farewell()
			return nil
		case e.Op != fg1.Data:
			k.report.broke(b.rule, "op %d seq %d instead of BYE", e.Op, e.Seq)
			c.close()
			return nil
		}
	}
}

// mayEnd reports whether BYE may have been sent because the server has no more messages.
func (c *conn) mayEnd(code uint16) bool {
	return cleanEnd(code) && c.welcomed && (len(c.stream.kept) == 0 || c.k.endsEarly)
}
