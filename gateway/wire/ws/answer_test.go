package ws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker/header"
)

// good are the header lines of a good answer; ACCEPT stands for the Sec-WebSocket-Accept of the key.
const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

// swap returns the good answer with one line replaced.
func swap(line, by string) string { return strings.Replace(good, line+"\r\n", by, 1) + "\r\n" }

func swapStatus(by string) string  { return swap("HTTP/1.1 101 Switching Protocols", by) }
func swapUpgrade(by string) string { return swap("Upgrade: websocket", by) }
func swapConn(by string) string    { return swap("Connection: Upgrade", by) }
func swapAccept(by string) string  { return swap("Sec-WebSocket-Accept: ACCEPT", by) }
func with(lines string) string     { return good + lines + "\r\n" }

// padded returns the good answer padded to n bytes.
func padded(n int) string {
	const name = "X-Padding: "
	accept := len(acceptFor("")) - len("ACCEPT")
	return with(name + strings.Repeat("x", n-len(good)-accept-len(name)-4) + "\r\n")
}

// answerCase is an answer of the server and its fault; empty: none. rfc is as in frameCase, with
// "9110" and "9112" for those RFCs.
type answerCase struct {
	rfc, name, answer, fault string
	subprotocol              string // that is asked for
}

const (
	notHTTP      = "the server's answer is not HTTP"
	isTLS        = "the server's answer is TLS, not HTTP; see the URL's scheme, wss"
	notHead      = "the head of the server's answer is not that of an HTTP response"
	tooLong      = "the head of the server's answer is longer than 16384 bytes"
	badUpgrade   = "the server's answer: Upgrade is not websocket"
	badConn      = "the server's answer: Connection has no Upgrade"
	badAccept    = "the server's answer: Sec-WebSocket-Accept does not match the key"
	badExtension = "the server's answer: Sec-WebSocket-Extensions selects one, but none was offered"
	badProtocol  = "the server's answer: Sec-WebSocket-Protocol selects one, but none was requested; see --ws-subprotocol"
	noProtocol   = "the server's answer: Sec-WebSocket-Protocol is missing; --ws-subprotocol requests feed"
	notProtocol  = "the server's answer: Sec-WebSocket-Protocol is not feed, as --ws-subprotocol requests"
)

var answerCases = []answerCase{
	{"4.1", "good", with(""), "", ""},
	{"4.1", "another reason phrase", swapStatus("HTTP/1.1 101 Sure\r\n"), "", ""},
	{"9112 4", "no reason phrase", swapStatus("HTTP/1.1 101 \r\n"), "", ""},
	{"9110 5.1", "names in lower case", "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ACCEPT\r\n\r\n", "", ""},
	{"4.1", "Upgrade in capitals", swapUpgrade("UPGRADE: WEBSOCKET\r\n"), "", ""},
	{"4.1", "Upgrade in mixed case", swapUpgrade("Upgrade: WebSocket\r\n"), "", ""},
	{"4.1", "Connection in lower case", swapConn("Connection: upgrade\r\n"), "", ""},
	{"4.1", "Connection with more tokens", swapConn("Connection: keep-alive, Upgrade\r\n"), "", ""},
	{"4.1", "Connection with empty items", swapConn("Connection: ,, Upgrade ,\r\n"), "", ""},
	{"9110 5.3", "Connection twice", swapConn("Connection: keep-alive\r\nConnection: Upgrade\r\n"), "", ""},
	{"4.1", "Accept with space about it", swapAccept("Sec-WebSocket-Accept: \t ACCEPT \t\r\n"), "", ""},
	{"9112 5.1", "no space behind the colons", strings.ReplaceAll(with(""), ": ", ":"), "", ""},
	{"9112 2.2", "LF alone", strings.ReplaceAll(with(""), "\r\n", "\n"), "", ""},
	{"9112 2.2", "LF and CRLF", strings.Replace(with(""), "\r\n\r\n", "\n\r\n", 1), "", ""},
	{"9112 2.2", "CRLF and LF", strings.Replace(with(""), "\r\n\r\n", "\r\n\n", 1), "", ""},
	{"9110 6.3", "further headers", with("Server: x\r\nDate: y\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"), "", ""},
	{"9.1", "an empty list of extensions", with("Sec-WebSocket-Extensions:\r\n"), "", ""},
	{"4.1", "a head of 16384 bytes", padded(maxHead), "", ""},
	{"9110 15.2", "an interim response before", "HTTP/1.1 100 Continue\r\n\r\n" + with(""), "", ""},
	{"9110 15.2", "two interim responses before", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + with(""), "", ""},

	{"4.1", "status 200", swapStatus("HTTP/1.1 200 OK\r\n"), "the server answered 200 OK, not 101", ""},
	{"4.1", "status 204", "HTTP/1.1 204 No Content\r\n\r\n", "the server answered 204 No Content, not 101", ""},
	{"4.1", "status 400", "HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\ns3cret", "the server answered 400 Bad Request, not 101", ""},
	{"4.1", "status 401", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n", "the server answered 401 Unauthorized, not 101; --ws-header sends credentials, as in --ws-header 'Authorization: Bearer TOKEN'", ""},
	{"4.1", "status 403", "HTTP/1.1 403 No\r\n\r\n", "the server answered 403 Forbidden, not 101; --ws-header sends credentials, as in --ws-header 'Authorization: Bearer TOKEN'", ""},
	{"4.1", "status 404", "HTTP/1.0 404 s3cret\r\n\r\n", "the server answered 404 Not Found, not 101", ""},
	{"4.4", "status 426", "HTTP/1.1 426 x\r\nSec-WebSocket-Version: 8\r\n\r\n", "the server answered 426 Upgrade Required, not 101", ""},
	{"4.1", "status 500, chunked", "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ns3cret\r\n0\r\n\r\n", "the server answered 500 Internal Server Error, not 101", ""},
	{"4.1", "status 503", "HTTP/1.1 503 x\r\nRetry-After: 5\r\n\r\n", "the server answered 503 Service Unavailable, not 101", ""},
	{"4.1", "status 799", "HTTP/1.1 799 s3cret\r\n\r\n", "the server answered 799, not 101", ""},
	{"9110 15.2", "an interim response, then 404", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 x\r\n\r\n", "the server answered 404 Not Found, not 101", ""},

	{"4.1", "redirected", "HTTP/1.1 301 x\r\nLocation: https://example.com/feed\r\n\r\n",
		"the server answered 301 Moved Permanently, not 101, " + errOtherHost.Error(), ""},
	{"4.1", "redirected, with a query", "HTTP/1.1 302 x\r\nLocation: /login?token=s3cret#s3cret\r\n\r\n",
		"the server answered 302 Found, not 101", ""},
	{"4.1", "redirected, with a fragment", "HTTP/1.1 303 x\r\nLocation: /login#s3cret\r\n\r\n",
		"the server answered 303 See Other, not 101", ""},
	{"4.1", "redirected, with a user", "HTTP/1.1 307 x\r\nLocation: https://s3cret@example.com/\r\n\r\n",
		"the server answered 307 Temporary Redirect, not 101, " + errNoTarget.Error(), ""},
	{"4.1", "redirected, not ASCII", "HTTP/1.1 308 x\r\nLocation: /\xe4\r\n\r\n", "the server answered 308 Permanent Redirect, not 101", ""},
	{"4.1", "redirected, too long", "HTTP/1.1 301 x\r\nLocation: /" + ascii(200) + "\r\n\r\n", "the server answered 301 Moved Permanently, not 101", ""},
	{"4.1", "redirected to nowhere", "HTTP/1.1 301 x\r\n\r\n", "the server answered 301 Moved Permanently, not 101", ""},
	{"4.1", "a Location without a redirection", "HTTP/1.1 503 x\r\nLocation: /a\r\n\r\n", "the server answered 503 Service Unavailable, not 101", ""},

	{"4.1", "Upgrade is missing", swapUpgrade(""), badUpgrade, ""},
	{"4.1", "Upgrade is empty", swapUpgrade("Upgrade:\r\n"), badUpgrade, ""},
	{"4.1", "Upgrade to something else", swapUpgrade("Upgrade: h2c\r\n"), badUpgrade, ""},
	{"4.1", "Upgrade to a longer name", swapUpgrade("Upgrade: websockets\r\n"), badUpgrade, ""},
	{"4.1", "Upgrade to two protocols", swapUpgrade("Upgrade: websocket, h2c\r\n"), badUpgrade, ""},
	{"4.1", "Upgrade twice", swapUpgrade("Upgrade: websocket\r\nUpgrade: websocket\r\n"), badUpgrade, ""},
	{"4.1", "Upgrade with a Kelvin sign", swapUpgrade("Upgrade: webSoc\u212aet\r\n"), badUpgrade, ""},
	{"4.1", "Connection is missing", swapConn(""), badConn, ""},
	{"4.1", "Connection is empty", swapConn("Connection:\r\n"), badConn, ""},
	{"4.1", "Connection keep-alive", swapConn("Connection: keep-alive\r\n"), badConn, ""},
	{"4.1", "Connection with part of the token", swapConn("Connection: xUpgrade, Upgrade-x\r\n"), badConn, ""},
	{"4.1", "Accept is missing", swapAccept(""), badAccept, ""},
	{"4.1", "Accept is empty", swapAccept("Sec-WebSocket-Accept:\r\n"), badAccept, ""},
	{"4.1", "Accept of another key", swapAccept("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), badAccept, ""},
	{"4.1", "Accept with more behind it", swapAccept("Sec-WebSocket-Accept: ACCEPT=\r\n"), badAccept, ""},
	{"11.3.3", "Accept twice", swapAccept("Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Accept: ACCEPT\r\n"), badAccept, ""},
	{"4.1", "a 101 of HTTP/1.0", swapStatus("HTTP/1.0 101 Switching Protocols\r\n"), "the server's answer: status 101 in HTTP/1.0", ""},
	{"4.1", "nothing but the status", "HTTP/1.1 101 Switching Protocols\r\n\r\n", badUpgrade, ""},

	{"9.1", "an extension", with("Sec-WebSocket-Extensions: permessage-deflate\r\n"), badExtension, ""},
	{"9.1", "an extension with parameters", with("Sec-WebSocket-Extensions: foo; bar=2, baz\r\n"), badExtension, ""},
	{"9.1", "an extension in the second header", with("Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x\r\n"), badExtension, ""},

	{"4.1", "the subprotocol that was asked for", with("Sec-WebSocket-Protocol: feed\r\n"), "", "feed"},
	{"4.1", "no subprotocol", with(""), noProtocol, "feed"},
	{"4.1", "another subprotocol", with("Sec-WebSocket-Protocol: chat\r\n"), notProtocol, "feed"},
	{"4.1", "an empty subprotocol", with("Sec-WebSocket-Protocol:\r\n"), notProtocol, "feed"},
	{"4.1", "the subprotocol in capitals", with("Sec-WebSocket-Protocol: FEED\r\n"), notProtocol, "feed"},
	{"4.1", "two subprotocols", with("Sec-WebSocket-Protocol: feed, chat\r\n"), notProtocol, "feed"},
	{"11.3.4", "the subprotocol twice", with("Sec-WebSocket-Protocol: feed\r\nSec-WebSocket-Protocol: feed\r\n"), notProtocol, "feed"},
	{"4.1", "a subprotocol nobody asked for", with("Sec-WebSocket-Protocol: feed\r\n"), badProtocol, ""},
	{"4.1", "an empty subprotocol nobody asked for", with("Sec-WebSocket-Protocol:\r\n"), badProtocol, ""},

	{"4.1", "a head of 16385 bytes", padded(maxHead + 1), tooLong, ""},
	{"4.1", "a head without end", good + "X: " + strings.Repeat("x", 3*maxHead), tooLong, ""},
	{"4.1", "a status line without end", "HTTP/1.1 101 " + strings.Repeat("x", 2*maxHead), tooLong, ""},
	{"9110 15.2", "interim responses without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), tooLong, ""},
	{"9112 4", "an SSH server", "SSH-2.0-OpenSSH_9.2\r\n", notHTTP, ""},
	{"9112 4", "a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", isTLS, ""},
	{"9112 4", "frames at once", "\x81\x01a", notHTTP, ""},
	{"9112 4", "an empty line first", "\r\n" + with(""), notHTTP, ""},
	{"9112 4", "HTTP in lower case", "http/1.1 101 x\r\n\r\n", notHTTP, ""},
	{"9112 4", "behind an interim response no HTTP", "HTTP/1.1 100 Continue\r\n\r\nSSH-2.0-x\r\n", notHTTP, ""},
	{"9112 4", "HTTP/2", swapStatus("HTTP/2 101 x\r\n"), notHead, ""},
	{"9112 4", "a status that is no number", swapStatus("HTTP/1.1 1o1 x\r\n"), notHead, ""},
	{"9112 4", "a status of two digits", swapStatus("HTTP/1.1 10 x\r\n"), notHead, ""},
	{"9112 4", "no status", "HTTP/1.1\r\n\r\n", notHead, ""},
	{"9112 5", "a line without a colon", with("s3cret\r\n"), notHead, ""},
	{"9112 5.1", "space before a colon makes another name", swapUpgrade("Upgrade : websocket\r\n"), badUpgrade, ""},
	{"9112 5", "a name of control bytes", with("X\x01Y: s3cret\r\n"), notHead, ""},
	{"9112 5", "an empty name", with(": s3cret\r\n"), notHead, ""},
}

// TestAnswers runs every answer by every plan.
func TestAnswers(t *testing.T) {
	names := map[string]bool{}
	for _, c := range answerCases {
		if names[c.name] {
			t.Errorf("%q is there twice", c.name)
		}
		names[c.name] = true
		t.Run(c.rfc+" "+c.name, func(t *testing.T) {
			p := mustNew(t, Config{Subprotocol: c.subprotocol})
			for name, plan := range plans(t.Name(), len(c.answer)) {
				if err := checkAnswer(t, p, c.answer, plan); err != c.fault {
					t.Fatalf("%s: got %q, want %q", name, err, c.fault)
				}
			}
		})
	}
}

// checkAnswer feeds the answer, and a message after a good one, and returns the fault.
func checkAnswer(t wiretest.T, p *wire.Codec, template string, plan wiretest.Plan) string {
	t.Helper()
	c := p.NewConn()
	d := wiretest.New(t, c, wire.Hello{Host: "a:1"}, plan)
	accept := acceptFor(requestHeader(t, d.Hello).Get("Sec-WebSocket-Key"))
	fault := d.Feed(append([]byte(strings.ReplaceAll(template, "ACCEPT", accept)), text("hello")...))
	if fault == nil {
		if len(d.Events) != 1 || len(d.Msgs) != 1 || string(d.Msgs[0].Data) != "hello" || d.Rest != 0 || d.Out != nil {
			t.Fatalf("events %+v, messages %+v, replies %q, %d bytes left", d.Events, d.Msgs, d.Out, d.Rest)
		}
		return ""
	}
	if fault.Reason != wire.Login {
		t.Fatalf("error %v", fault)
	}
	if len(d.Msgs) > 0 || len(d.Events) > 0 || d.Out != nil {
		t.Fatalf("it failed, and has messages %+v, events %+v, replies %q", d.Msgs, d.Events, d.Out)
	}
	if bye := c.AppendClose(nil, fault.Code); bye != nil {
		t.Fatalf("a close frame where no WebSocket is: %q", bye)
	}
	return fault.Detail
}

// TestAnswerAtEverySplit splits a good answer, with a text and a ping in the same segment, at
// each byte.
func TestAnswerAtEverySplit(t *testing.T) {
	p := mustNew(t, Config{})
	stream := cat(text("\u20ac"), ping("p"))
	n := len(answer(t, p.NewConn().AppendHello(nil, wire.Hello{Host: "a:1"}))) + len(stream)
	for cut := 1; cut < n; cut++ {
		for _, piece := range []int{cut, -cut} {
			t.Run(fmt.Sprint(piece), func(t *testing.T) {
				got, _ := run(t, p, stream, wiretest.Plan{Buffer: 512, Msgs: 4, Steps: []int{piece, 0}})
				if diff := got.diff(pongs([]string{"p"}, asText("\u20ac"))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestRetryAfter: RFC 9110, section 10.2.3, for the statuses that use it.
func TestRetryAfter(t *testing.T) {
	const date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	at := time.Date(1994, 11, 6, 8, 49, 50, 0, time.UTC)
	for _, c := range []struct {
		status  int
		headers string
		wait    time.Duration
		at      time.Time
	}{
		{503, "Retry-After: 120\r\n", 2 * time.Minute, time.Time{}},
		{429, "Retry-After: 1 \r\n", time.Second, time.Time{}},
		{503, "Retry-After: 0\r\n", 1, time.Time{}},
		{503, date + "Retry-After: Sun, 06 Nov 1994 08:49:50 GMT\r\n", 13 * time.Second, time.Time{}},
		{503, date + "Retry-After: Sun, 06 Nov 1994 08:49:00 GMT\r\n", 1, time.Time{}},
		{503, "Retry-After: Sun, 06 Nov 1994 08:49:50 GMT\r\n", 0, at},
		{503, "Retry-After: Sunday, 06-Nov-94 08:49:50 GMT\r\n", 0, at},
		{503, "Retry-After: 18446744073709551615\r\n", header.MaxRetryAfter * time.Second, time.Time{}},
		{503, "Retry-After: 99999999999999999999999\r\n", header.MaxRetryAfter * time.Second, time.Time{}},
		{503, "Retry-After: -1\r\n", 0, time.Time{}},
		{503, "Retry-After: soon\r\n", 0, time.Time{}},
		{503, "", 0, time.Time{}},
		{500, "Retry-After: 120\r\n", 0, time.Time{}},
		{401, "Retry-After: 120\r\n", 0, time.Time{}},
	} {
		d := wiretest.New(t, mustNew(t, Config{}).NewConn(), wire.Hello{Host: "a:1"}, wiretest.Whole(256))
		fault := d.Feed(fmt.Appendf(nil, "HTTP/1.1 %d x\r\n%s\r\n", c.status, c.headers))
		if fault == nil {
			t.Fatalf("status %d: no error", c.status)
		}
		if fault.RetryAfter != c.wait || !fault.RetryAt.Equal(c.at) {
			t.Errorf("%d %q: %v, %v", c.status, c.headers, fault.RetryAfter, fault.RetryAt)
		}
	}
}

// TestLocation: only statuses that are redirects are followed.
func TestLocation(t *testing.T) {
	for status, want := range map[int]bool{301: true, 302: true, 303: true, 307: true, 308: true, 300: false, 304: false, 200: false, 503: false} {
		d := wiretest.New(t, mustNew(t, Config{}).NewConn(), wire.Hello{Host: "a:1"}, wiretest.Whole(256))
		fault := d.Feed(fmt.Appendf(nil, "HTTP/1.1 %d x\r\nLocation: /a\r\n\r\n", status))
		to := wire.Redirect{HostPort: "a:1", Target: "/a"}
		if fault == nil || (fault.Redirect != nil) != want || want && *fault.Redirect != to || fault.Refused {
			t.Errorf("status %d: %+v, want a redirect: %v", status, fault, want)
		}
	}
}

// TestRefusedRedirect: a redirect that is not followed is a refused login.
func TestRefusedRedirect(t *testing.T) {
	d := wiretest.New(t, mustNew(t, Config{}).NewConn(), wire.Hello{Host: "a:1"}, wiretest.Whole(256))
	fault := d.Feed([]byte("HTTP/1.1 301 x\r\nLocation: ws://b/\r\n\r\n"))
	if fault == nil || !fault.Refused || fault.Redirect != nil {
		t.Errorf("%+v", fault)
	}
}

// TestRequestForTarget: after a redirect, the request is for the target that the server named.
func TestRequestForTarget(t *testing.T) {
	c := mustNew(t, Config{Path: "/old"}).NewConn()
	if r := parseRequest(t, c.AppendHello(nil, wire.Hello{Host: "a:1", Target: "/new?x"})); r.RequestURI != "/new?x" {
		t.Errorf("request for %s", r.RequestURI)
	}
}

// TestLoginCodes: a server's refusal of our credentials has a code of its own.
func TestLoginCodes(t *testing.T) {
	for status, want := range map[int]wire.CloseCode{
		401: wire.CloseBadToken, 403: wire.CloseBadToken, 404: wire.CloseBadRequest, 200: wire.CloseBadRequest,
	} {
		d := wiretest.New(t, mustNew(t, Config{}).NewConn(), wire.Hello{Host: "a:1"}, wiretest.Whole(256))
		if fault := d.Feed(fmt.Appendf(nil, "HTTP/1.1 %d x\r\n\r\n", status)); fault == nil || fault.Code != want {
			t.Errorf("status %d: %v, want code %d", status, fault, want)
		}
	}
}
