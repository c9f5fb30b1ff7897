package fgcheck

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkServer checks the server of the tests.
func checkServer(t *testing.T, f faults, timeout time.Duration) (marks map[rule]string, out string, err error) {
	t.Helper()
	s := newServer(t, f)
	return check(t, Config{Address: s.address, Token: []byte(serverToken), Timeout: timeout, MaxMessage: bigSize - 1})
}

// TestSound: without faults, every rule is seen to be kept.
func TestSound(t *testing.T) {
	marks, out, err := checkServer(t, faults{}, patience)
	expectMarks(t, marks, out, err)
}

// TestFaults: each fault is found, by the rule that it breaks and no other.
func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		faults faults
		rule   rule
		seen   string
	}{
		"accepts a wrong token":            {faults{anyToken: true}, badToken, "WELCOME seq 1"},
		"wrong code for a wrong token":     {faults{tokenCode: 5}, badToken, "BYE code 5"},
		"message before WELCOME":           {faults{early: true}, welcomeFirst, "DATA seq 1 before WELCOME"},
		"second WELCOME":                   {faults{twice: true}, welcomeFirst, "a second WELCOME, seq 1"},
		"WELCOME is no JSON":               {faults{badWelcome: "hello"}, welcomeJSON, "5 bytes"},
		"WELCOME is no UTF-8":              {faults{badWelcome: "{\"session\":\"\xff\"}"}, welcomeJSON, "not UTF-8"},
		"session is a number":              {faults{badWelcome: `{"session":7}`}, welcomeJSON, "session"},
		"session has half a pair":          {faults{badWelcome: `{"session":"a\ud800"}`}, welcomeJSON, "session"},
		"heartbeat too short":              {faults{heartbeat: 99}, heartbeat, "heartbeat_ms 99"},
		"no known ack mode":                {faults{badWelcome: `{"acks":["all"]}`}, ackModes, "acks"},
		"first message is another":         {faults{firstHigh: true}, firstSeq, "DATA seq 2 after WELCOME seq 1"},
		"messages out of order":            {faults{swapped: true}, order, "DATA seq 5 where seq 4 is due"},
		"parts of two messages":            {faults{brokenParts: true}, parts, "DATA seq 4 while seq 3 is unfinished"},
		"BYE within a message":             {faults{partsAtEnd: true}, parts, "BYE while DATA seq 40 is unfinished"},
		"message too long":                 {faults{big: true}, maxMessage, "seq 2 has more than 199 bytes"},
		"ignores ACK":                      {faults{ignoreAck: true}, ackEach, "WELCOME seq 1 after acks up to seq 2"},
		"ignores ACKTO":                    {faults{ignoreAckTo: true}, ackTo, "WELCOME seq 3 after acks up to seq 4"},
		"ACK is cumulative":                {faults{cumulative: true}, ackOne, "WELCOME seq 7, want 5"},
		"sends refused messages again":     {faults{refusedAgain: true}, ackRefused, "WELCOME seq 5 after acks up to seq 6"},
		"believes acks of what was not":    {faults{trustAcks: true}, ackUnsent, "WELCOME seq"},
		"keeps acks of what was not":       {faults{keepsAcks: true}, ackUnsent, ", and the only ACK of seq "},
		"does not send what is acked":      {faults{skipsAcked: true}, ackUnsent, "was not sent after an ACK of it"},
		"hangs at acks of what was not":    {faults{hangsUnsent: true}, ackUnsent, "the server stopped answering: no PONG within 2s"},
		"hangs at a wrong token":           {faults{hangsToken: true}, badToken, "the server stopped answering: nothing within 2s"},
		"WELCOME after a cut is too high":  {faults{resumeHigh: true}, resumeSeq, "WELCOME seq 2, want 1"},
		"WELCOME after a cut is too low":   {faults{resumeLow: true}, resumeSeq, "WELCOME seq 0, want 1"},
		"skips a message after a cut":      {faults{skips: true}, resend, "DATA seq 2 did not come again after WELCOME seq 1"},
		"takes HELLO's seq for more":       {faults{trustHello: true}, helloSeq, "WELCOME seq 9, want 8"},
		"resumes what it does not know":    {faults{believes: true}, newSession, "WELCOME seq 1 with the name of HELLO seq 7"},
		"PONG with another seq":            {faults{pongZero: true}, ping, "PONG seq 0 to PING seq"},
		"no PONG":                          {faults{noPong: true}, ping, "no PONG within"},
		"PONG is late":                     {faults{pongLate: true}, ping, "no PONG within"},
		"frame with a short length":        {faults{shortFrame: true}, frameLength, "op 6 seq 0: length 11"},
		"frame with a huge payload":        {faults{hugeControl: true}, frameLength, "op 6 seq 1: payload of 1048576 bytes"},
		"unknown op":                       {faults{strangeOp: true}, frameOp, "op 42 seq 1"},
		"unknown flag":                     {faults{flagged: true}, frameFlags, "op 3 seq 2: flags 0x40"},
		"any first frame":                  {faults{anyFirst: true}, refuseFirst, "op 2 seq 1 instead of BYE"},
		"any HELLO":                        {faults{anyHello: true}, refuseHello, "op 2 seq 1 instead of BYE"},
		"any length":                       {faults{anyLength: true}, refuseLength, "instead of BYE"},
		"answers any length":               {faults{answersShort: true}, refuseLength, "op 7 seq 1 instead of BYE"},
		"any op":                           {faults{anyOp: true}, refuseOp, "op 7 seq"},
		"any flags":                        {faults{anyFlags: true}, refuseFlags, "op 7 seq"},
		"BYE with a wrong code at the end": {faults{endCode: 3}, bye, "BYE code 3"},
		"ends without BYE":                 {faults{closeEnd: true}, bye, "the connection ended without BYE"},
		"message after BYE":                {faults{afterBye: true}, byeLast, "after BYE"},
		"never closes":                     {faults{neverClose: true}, byeClose, "the connection was open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := patience
			// These cost the timeout, so it is short.
			if f := test.faults; f.noPong || f.pongLate || f.neverClose || f.pongZero || f.anyLength || f.ignoreAck || f.skips || f.hangsUnsent || f.hangsToken {
				timeout = brief
			}
			begin := time.Now()
			marks, out, err := checkServer(t, test.faults, timeout)
			expectFault(t, marks, out, err, test.seen, test.rule)
			if f := test.faults; (f.hangsUnsent || f.hangsToken) && time.Since(begin) > 4*brief {
				t.Errorf("%v to find that the server hangs", time.Since(begin))
			}
		})
	}
}

// hiding are rules that, once broken, prevent that others are seen.
var hiding = map[rule]bool{
	login:       true,
	frameLength: true, welcomeJSON: true, ackModes: true, ackEach: true, ackUnsent: true,
	resumeSeq: true, resend: true, byeClose: true, badToken: true,
}

// expectFault checks that exactly these rules are broken, and what was seen of the first.
func expectFault(t *testing.T, marks map[rule]string, out string, err error, seen string, broken ...rule) {
	t.Helper()
	if !errors.Is(err, ErrBroken) || errors.Is(err, ErrUntested) {
		t.Errorf("Run: %v", err)
	}
	if got := withMark(marks, "FAIL"); !slices.Equal(got, broken) {
		t.Errorf("broken: %v, want %v", got, broken)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); f[0] == "FAIL" && rule(f[1]) == broken[0] && !strings.Contains(line, seen) {
			t.Errorf("seen: %swant %q", line, seen)
		}
	}
	for _, secret := range []string{serverToken, serverPayload, "session-"} {
		if strings.Contains(out, secret) {
			t.Errorf("%q is in the output", secret)
		}
	}
	if unseen := withMark(marks, "-"); len(unseen) > 0 && !hiding[broken[0]] {
		t.Errorf("not seen: %v", unseen)
	}
	if t.Failed() {
		t.Log("\n" + out)
	}
}

// TestFaultsOfRefusing: a server that refuses bad frames in a wrong way breaks each of these rules.
func TestFaultsOfRefusing(t *testing.T) {
	after := []rule{refuseLength, refuseOp, refuseFlags}
	marks, out, err := checkServer(t, faults{faultCode: 2}, patience)
	expectFault(t, marks, out, err, "BYE code 2", after...)
	marks, out, err = checkServer(t, faults{closeFault: true}, patience)
	expectFault(t, marks, out, err, "the connection ended without BYE", after...)
}

// TestGap: a missing number breaks the order, and is not sent again after a cut either.
func TestGap(t *testing.T) {
	marks, out, err := checkServer(t, faults{gap: true}, patience)
	expectFault(t, marks, out, err, "DATA seq 5 where seq 4 is due", order)
}

// TestHostile: servers that hang, or send garbage or without end, are reported in time.
func TestHostile(t *testing.T) {
	for name, test := range map[string]struct {
		faults faults
		rule   rule // among the broken ones
		seen   string
	}{
		"silent":       {faults{unresponsive: true}, login, "nothing within 300ms"},
		"closes":       {faults{welcomeNothing: true}, login, "the connection ended without BYE"},
		"HTTP":         {faults{garbage: "HTTP/1.1 400 Bad Request\r\n\r\n"}, login, "it looks like HTTP"},
		"short text":   {faults{garbage: "220 hi\r\n"}, login, "it looks like text"},
		"binary":       {faults{garbage: strings.Repeat("\xfe\x01", 50)}, login, "it looks like other bytes"},
		"flood":        {faults{floodPings: true}, ping, "no PONG within 1s"},
		"endless part": {faults{floodParts: true}, maxMessage, "seq 1 has more than"},
		"endless byte": {faults{floodBytes: true}, maxMessage, "seq 1 has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Second
			if test.rule == login { // no login succeeds, however long it may take
				timeout = 300 * time.Millisecond
			}
			marks, out, err := checkServer(t, test.faults, timeout)
			if !errors.Is(err, ErrBroken) || marks[test.rule] != "FAIL" || !strings.Contains(out, test.seen) {
				t.Errorf("%v: %s is %q, want %q\n%s", err, test.rule, marks[test.rule], test.seen, out)
			}
			if test.rule == login && len(withMark(marks, "FAIL")) > 1 {
				t.Errorf("more than the login is broken\n%s", out)
			}
			if test.rule == login && strings.Count(out, ": not seen: the login failed\n") != len(withMark(marks, "-")) {
				t.Errorf("rules are not seen for another reason\n%s", out)
			}
		})
	}
}

// TestNoise: whatever the server sends, each rule gets one line.
func TestNoise(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		marks, out, err := checkServer(t, faults{noise: seed}, 200*time.Millisecond)
		if len(marks) != len(rules) || !errors.Is(err, ErrBroken) {
			t.Errorf("seed %d: %v\n%s", seed, err, out)
		}
	}
}

// TestByeFirst: a server may end the session before its messages are acknowledged, and then does not
// answer.
func TestByeFirst(t *testing.T) {
	marks, out, err := checkServer(t, faults{byeFirst: true}, patience)
	expectMarks(t, marks, out, err, ping, refuseLength, refuseOp, refuseFlags)
}

// TestRefusesSessions: a server that refuses the names of sessions locks out every gateway that
// reconnects.
func TestRefusesSessions(t *testing.T) {
	marks, out, err := checkServer(t, faults{refusesOld: true}, brief)
	expectFault(t, marks, out, err, "BYE code 2 to HELLO with the session's name", login, newSession)
}

// TestForgetful: a server need not resume sessions.
func TestForgetful(t *testing.T) {
	marks, out, err := checkServer(t, faults{forgets: true}, patience)
	expectMarks(t, marks, out, err, ackEach, ackTo, ackOne, ackRefused, ackUnsent, resumeSeq, resend, helloSeq)
	if !strings.HasSuffix(out, "not seen\n"+forgetful+"\n") {
		t.Errorf("no warning\n%s", out)
	}
}

// TestPongAfterAWhile: a PONG that comes, but not at once.
func TestPongAfterAWhile(t *testing.T) {
	t.Parallel()
	marks, out, err := checkServer(t, faults{pongLate: true}, 6*time.Second)
	expectFault(t, marks, out, err, "came after 3", ping)
}

// TestTotalTime: the check ends, however much the server leaves open.
func TestTotalTime(t *testing.T) {
	t.Parallel()
	s := newServer(t, faults{floodPings: true})
	const timeout = 50 * time.Millisecond
	begin := time.Now()
	_, out, err := check(t, Config{Address: s.address, Token: []byte(serverToken), Timeout: timeout})
	if took := time.Since(begin); err == nil || took > totalWait*timeout+brief {
		t.Errorf("%v after %v\n%s", err, took, out)
	}
}

// TestNameless: without a session's name, nothing that needs one is seen.
func TestNameless(t *testing.T) {
	marks, out, err := checkServer(t, faults{namesless: true}, patience)
	expectMarks(t, marks, out, err, ackEach, ackTo, ackOne, ackRefused, ackUnsent, resumeSeq, resend, helloSeq)
}

// TestDies: a server that ends in the middle of the check could not be tested; what was seen before
// is printed.
func TestDies(t *testing.T) {
	marks, out, err := checkServer(t, faults{dies: true}, patience)
	if !errors.Is(err, ErrUntested) || !strings.Contains(err.Error(), "connection refused, while testing bad frames") {
		t.Errorf("Run: %v", err)
	}
	if marks[refuseLength] != "ok" || marks[refuseOp] != "-" || !strings.Contains(out, "the check ended early") {
		t.Error("\n" + out)
	}
	_, out, err = checkServer(t, faults{dies: true, closeFault: true}, patience)
	if !errors.Is(err, ErrBroken) || errors.Is(err, ErrUntested) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Run: %v\n%s", err, out)
	}
}
