package nsq

import (
	"testing"

	"feedgate/gateway/wire"
)

// streamCase is a stream from the first byte on and its expected result, however it arrives.
type streamCase struct {
	name string
	in   []byte
	want outcome
}

func in(frames ...[]byte) []byte { return cat(append([][]byte{answers()}, frames...)...) }

func get(n int, body string) []byte { return message(n, 1, body) }

var messageCases = []streamCase{
	{"one message", in(get(1, "a")), ready("message a")},
	{"many", in(get(1, "a"), get(2, "bc"), get(3, "d")), ready("message a", "message bc", "message d")},
	{"without a body", in(get(1, ""), get(2, "a")), ready("message ", "message a")},
	{"as long as may be", in(get(1, bodyOf(testLimit)), get(2, "a")), ready("message "+bodyOf(testLimit), "message a")},
	{"one byte longer", in(get(1, bodyOf(testLimit+1)), get(2, "a")), ready("too large", "message a")},
	{"twice in a row", in(get(1, bodyOf(testLimit+1)), get(2, bodyOf(3000)), get(3, "a")), ready("too large", "too large", "message a")},
	{"too large between", in(get(1, "a"), get(2, bodyOf(2000)), get(3, "b")), ready("message a", "too large", "message b")},
	{"too large, not whole", in(get(1, bodyOf(2000))[:1500]), ready()},
	{"too large, its head not whole", in(get(1, bodyOf(2000)))[:len(answers())+33], ready()},
	{"not whole", in(get(1, "a"), get(2, "bcd")[:36]), ready("message a")},
	{"the head not whole", in(get(1, "a"), get(2, "bcd")[:7]), ready("message a")},
	{"the longest size", in(get(1, "a"), head(1<<31-1, 2)), ready("message a")},
	{"any bytes as its name", in(frame(2, "\x00\xff\n time\x00\x01\n\nFINFINFIN\n FIN\nbody")), ready("message \nbody")},
}

var replyCases = []streamCase{
	{"heartbeat", in(response("_heartbeat_")), ready().replying("NOP\n")},
	{"heartbeat between", in(get(1, "a"), response("_heartbeat_"), get(2, "b"), response("_heartbeat_")),
		ready("message a", "message b").replying("NOP\nNOP\n")},
	{"heartbeats in the login", cat(response("_heartbeat_"), response(identifiedJSON), response("_heartbeat_"), response("OK")),
		outcome{trace: []string{"ready"}, replies: "NOP\nSUB topic channel\nNOP\nRDY 100\n"}},
	{"heartbeat behind too large", in(get(1, bodyOf(2000)), response("_heartbeat_")), ready("too large").replying("NOP\n")},
	{"close", in(get(1, "a"), response("CLOSE_WAIT")), ready("message a", "close 0 false")},
	{"behind the close", in(response("CLOSE_WAIT"), get(1, "a"), response("_heartbeat_"), errorFrame("E_FIN_FAILED x"), get(2, bodyOf(2000))),
		ready("close 0 false", "message a", "fault e_fin_failed", "too large").replying("NOP\n")},
	{"a second close", in(response("CLOSE_WAIT"), response("CLOSE_WAIT")), ready("close 0 false").failing(wire.UnexpectedOp)},
	{"OK out of place", in(get(1, "a"), response("OK")), ready("message a").failing(wire.UnexpectedOp)},
	{"a response of other text", in(response("_heartbeat")), ready().failing(wire.UnexpectedOp)},
	{"an empty response", in(response("")), ready().failing(wire.UnexpectedOp)},
	{"a response as long as may be", in(response(bodyOf(maxReply))), ready().failing(wire.UnexpectedOp)},
	{"a response one byte longer", in(head(4+maxReply+1, 0)), ready().failing(wire.TooLarge)},
	{"an error one byte longer", in(head(4+maxReply+1, 1)), ready().failing(wire.TooLarge)},
}

var frameCases = []streamCase{
	{"size 0", in(get(1, "a"), head(0, 2)[:4]), ready("message a").failing(wire.BadLength)},
	{"size 3", in(head(3, 0)[:4]), ready().failing(wire.BadLength)},
	{"a negative size", in(head(-1, 2)[:4]), ready().failing(wire.BadLength)},
	{"the lowest size", in(head(-1<<31, 2)[:4]), ready().failing(wire.BadLength)},
	{"a message without an id", in(get(1, "a"), head(29, 2)), ready("message a").failing(wire.BadLength)},
	{"a message of a type", in(head(4, 2)), ready().failing(wire.BadLength)},
	{"type 3", in(get(1, "a"), head(1<<30, 3)), ready("message a").failing(wire.UnknownOp)},
	{"type -1", in(head(100, 0xffffffff)), ready().failing(wire.UnknownOp)},
	{"behind a fault", in(head(100, 3), get(1, "a")), ready().failing(wire.UnknownOp)},
}

var complaintCases = []streamCase{
	{"FIN failed", in(errorFrame("E_FIN_FAILED FIN 0123 failed ID not in flight"), get(1, "a")), ready("fault e_fin_failed", "message a")},
	{"several", in(get(1, "a"), errorFrame("E_FIN_FAILED x"), errorFrame("E_REQ_FAILED x"), errorFrame("E_TOUCH_FAILED"),
		response("_heartbeat_"), errorFrame("E_TOUCH_FAILED x"), get(2, "b")),
		ready("message a", "fault e_fin_failed", "fault e_req_failed", "fault e_touch_failed", "fault e_touch_failed", "message b").replying("NOP\n")},
	{"FIN failed in the login", cat(errorFrame("E_FIN_FAILED x"), answers()), ready().after("fault e_fin_failed")},
	{"invalid", in(get(1, "a"), errorFrame("E_INVALID RDY count 1 out of range")), ready("message a").failing("e_invalid")},
	{"bare code", in(errorFrame("E_INVALID")), ready().failing("e_invalid")},
	{"a consumer gets no such code", in(errorFrame("E_MPUB_FAILED x")), ready().failing("nsq")},
	{"nsq is no code", in(errorFrame("nsq x")), ready().failing("nsq")},
	{"code in small letters", in(errorFrame("e_invalid x")), ready().failing("nsq")},
	{"longer code", in(errorFrame("E_INVALIDX x")), ready().failing("nsq")},
	{"empty", in(errorFrame("")), ready().failing("nsq")},
	{"token refused behind the login", in(errorFrame("E_AUTH_FAILED x")), ready().failing("e_auth_failed")},
	{"TLS required behind the login", in(errorFrame("E_INVALID cannot FIN in current state (TLS required)")), ready().failing("e_invalid")},
}

// after returns an outcome with one more event before all others.
func (o outcome) after(event string) outcome {
	o.trace = append([]string{event}, o.trace...)
	return o
}

var loginCases = []streamCase{
	{"nothing", nil, outcome{}},
	{"a login", answers(), ready()},
	{"an old server", cat(response("OK"), response("OK"), get(1, "a")), ready("message a")},
	{"an empty object", cat(response("{}"), response("OK")), ready()},
	{"few messages at a time", cat(response(`{"max_rdy_count":7}`), response("OK")),
		outcome{trace: []string{"ready"}, replies: "SUB topic channel\nRDY 7\n"}},
	{"numbers that make no sense", cat(response(`{"max_rdy_count":-1,"msg_timeout":-5,"max_msg_timeout":0}`), response("OK")), ready()},
	{"with a secret", cat(response(`{"auth_required":true}`), response(`{"identity":"me","permission_count":1}`), response("OK")),
		outcome{trace: []string{"ready"}, replies: "AUTH\n\x00\x00\x00\x06s3cret" + loginReplies}},
	{"the secret refused", cat(response(`{"auth_required":true}`), errorFrame("E_AUTH_FAILED AUTH failed"), response("OK"), head(0, 9)),
		outcome{trace: []string{"close 4 false e_auth_failed"}, replies: "AUTH\n\x00\x00\x00\x06s3cret"}},
	{"the secret allows nothing", cat(response(`{"auth_required":true}`), errorFrame("E_UNAUTHORIZED AUTH no authorizations found")),
		outcome{trace: []string{"close 4 false e_unauthorized"}, replies: "AUTH\n\x00\x00\x00\x06s3cret"}},
	{"the secret allows not this", cat(response(`{"auth_required":true}`), response("{}"), errorFrame("E_UNAUTHORIZED AUTH failed for SUB")),
		outcome{trace: []string{"close 4 false e_unauthorized"}, replies: "AUTH\n\x00\x00\x00\x06s3cretSUB topic channel\n"}},
	{"the secret comes too late", cat(response("OK"), errorFrame("E_AUTH_FIRST AUTH required before SUB")),
		outcome{replies: "SUB topic channel\n", reason: "e_auth_first"}},
	{"the answer to AUTH is no JSON", cat(response(`{"auth_required":true}`), response(`{"identity`)),
		outcome{replies: "AUTH\n\x00\x00\x00\x06s3cret", reason: wire.BadJSON}},
	{"IDENTIFY refused", errorFrame("E_BAD_BODY IDENTIFY heartbeat interval (70000) is invalid"), outcome{reason: "e_bad_body"}},
	{"the protocol refused", errorFrame("E_BAD_PROTOCOL"), outcome{reason: "e_bad_protocol"}},
	{"SUB refused", cat(response(identifiedJSON), errorFrame("E_BAD_TOPIC SUB topic name is not valid")),
		outcome{replies: "SUB topic channel\n", reason: "e_bad_topic"}},
	{"TLS is asked for", cat(response(identifiedJSON), errorFrame("E_INVALID cannot SUB in current state (TLS required)")),
		outcome{replies: "SUB topic channel\n", reason: wire.TLS}},
	{"no JSON", response(`{"max_rdy_count":2500`), outcome{reason: wire.BadJSON}},
	{"JSON of other types", response(`{"max_rdy_count":"2500"}`), outcome{reason: wire.BadJSON}},
	{"no object", response(`[]`), outcome{reason: wire.BadJSON}},
	{"a number too long", response(`{"max_rdy_count":99999999999999999999}`), outcome{reason: wire.BadJSON}},
	{"SUB is not answered by OK", cat(response(identifiedJSON), response("CLOSE_WAIT")),
		outcome{replies: "SUB topic channel\n", reason: wire.UnexpectedOp}},
	{"a message at once", get(1, "a"), outcome{reason: wire.UnexpectedOp}},
	{"a message too large at once", head(1<<30, 2), outcome{reason: wire.UnexpectedOp}},
	{"a message before SUB is answered", cat(response(identifiedJSON), get(1, "a")),
		outcome{replies: "SUB topic channel\n", reason: wire.UnexpectedOp}},
	{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), outcome{reason: wire.UnknownOp}},
}

// TestConformance runs every case by every plan.
func TestConformance(t *testing.T) {
	p := mustNew(t, testConfig())
	for table, cases := range map[string][]streamCase{
		"messages": messageCases, "replies": replyCases, "frames": frameCases,
		"complaints": complaintCases, "login": loginCases,
	} {
		t.Run(table, func(t *testing.T) {
			names := map[string]bool{}
			for _, c := range cases {
				if names[c.name] {
					t.Errorf("%q is there twice", c.name)
				}
				names[c.name] = true
				t.Run(c.name, func(t *testing.T) { check(t, p, c.in, c.want) })
			}
		})
	}
}
