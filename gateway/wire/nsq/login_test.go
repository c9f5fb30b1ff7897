package nsq

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// TestIdentify parses the hello as a server does.
func TestIdentify(t *testing.T) {
	for _, secure := range []bool{false, true} {
		cfg := testConfig()
		cfg.Secure = secure
		hello := mustNew(t, cfg).NewConn().AppendHello([]byte("before"), wire.Hello{Client: `a "b"`, Host: "c:1", Token: []byte("s3cret")})
		rest, found := bytes.CutPrefix(hello, []byte("before  V2IDENTIFY\n"))
		if !found || len(rest) < 4 || int(binary.BigEndian.Uint32(rest)) != len(rest)-4 {
			t.Fatalf("%q", hello)
		}
		if bytes.Contains(hello, []byte("s3cret")) {
			t.Error("IDENTIFY has the secret")
		}
		var got map[string]any
		if err := json.Unmarshal(rest[4:], &got); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"client_id": `a "b"`, "hostname": `a "b"`, "user_agent": "feedgate", "feature_negotiation": true,
			"heartbeat_interval": 5000.0, "output_buffer_size": 65536.0, "output_buffer_timeout": 25.0,
			"tls_v1": secure, "snappy": false, "deflate": false,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("it has %v as well", got)
		}
	}
}

// TestIdentifyWithoutHeartbeat leaves the interval to nsqd.
func TestIdentifyWithoutHeartbeat(t *testing.T) {
	cfg := testConfig()
	cfg.Heartbeat = 0
	if hello := mustNew(t, cfg).NewConn().AppendHello(nil, wire.Hello{}); bytes.Contains(hello, []byte("heartbeat")) {
		t.Errorf("%q", hello)
	}
}

// TestServerSettings: what is read from the answer to IDENTIFY.
func TestServerSettings(t *testing.T) {
	for text, want := range map[string]server{
		`OK`: {2500, time.Minute, 15 * time.Minute, 5 * time.Second, false},
		`{"max_rdy_count":3,"msg_timeout":1500,"max_msg_timeout":20000,"auth_required":true,"later":[1]}`: {
			3, 1500 * time.Millisecond, 20 * time.Second, 5 * time.Second, true},
		`{"msg_timeout":9223372036854775807,"max_msg_timeout":9223372036854775807}`: {
			2500, 1 << 40 * time.Millisecond, 1 << 40 * time.Millisecond, 5 * time.Second, false},
	} {
		c := mustNew(t, testConfig()).NewConn().(*conn)
		d := wiretest.New(t, c, wire.Hello{Token: []byte("s3cret")}, wiretest.ByteByByte())
		token := c.token
		if err := d.Feed(response(text)); err != nil || c.server != want {
			t.Errorf("%s: %+v %v, want %+v", text, c.server, err, want)
		}
		if kept := c.token != nil || !bytes.Equal(token, make([]byte, 6)); kept != want.auth {
			t.Errorf("%s: that the secret is kept is %v", text, kept)
		}
	}
}

// TestSecure logs in over TLS, which begins after the event.
func TestSecure(t *testing.T) {
	cfg := testConfig()
	cfg.Secure = true
	p := mustNew(t, cfg)
	if !p.StartTLS {
		t.Error("Traits.StartTLS is not set")
	}
	const offered = `{"tls_v1":true,"auth_required":true}`
	for name, c := range map[string]struct {
		plain, secured []byte
		want           outcome
	}{
		"a login": {response(offered), cat(response("OK"), response("{}"), response("OK"), get(1, "a")),
			outcome{trace: []string{"secure", "ready", "message a"}, replies: "AUTH\n\x00\x00\x00\x06s3cret" + loginReplies}},
		// A NOP before the handshake would be taken for a part of it.
		"heartbeats": {cat(response("_heartbeat_"), response(offered)), cat(response("_heartbeat_"), response("OK")),
			outcome{trace: []string{"secure"}, replies: "NOP\nAUTH\n\x00\x00\x00\x06s3cret"}},
		"no OK":             {response(offered), response("_heartbeat"), outcome{trace: []string{"secure"}, reason: wire.UnexpectedOp}},
		"a message":         {response(offered), get(1, "a"), outcome{trace: []string{"secure"}, reason: wire.UnexpectedOp}},
		"it is not offered": {response(`{"tls_v1":false}`), nil, outcome{reason: wire.TLS}},
		"an old server":     {response("OK"), nil, outcome{reason: wire.TLS}},
		"it is refused":     {response(offered), errorFrame("E_IDENTIFY_FAILED x"), outcome{trace: []string{"secure"}, reason: "e_identify_failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, plan := range []wiretest.Plan{wiretest.Whole(200), wiretest.ByteByByte(), wiretest.FromBytes([]byte{7, 1, 3, 0x85})} {
				d := wiretest.New(t, p.NewConn(), wire.Hello{Token: []byte("s3cret")}, plan)
				if d.Feed(c.plain) == nil && d.Rest == 0 {
					d.Feed(c.secured)
				}
				if got := outcomeOf(t, d.Result); !got.equal(c.want) {
					t.Errorf("got  %v\nwant %v\nerror: %v", got, c.want, d.Err)
				}
			}
		})
	}
	// Bytes in the clear are not taken for bytes received over TLS.
	for _, behind := range []string{"x", "\x00\x00\x00\x06\x00\x00\x00\x00OK"} {
		got, err := run(t, p, cat(response(offered), []byte(behind)), wiretest.Whole(200))
		if want := (outcome{reason: wire.TLS}); !got.equal(want) {
			t.Errorf("got  %v\nwant %v\nerror: %v", got, want, err)
		}
	}
}

// TestSecretIsMissing: a server that requires a secret ends the login permanently, and is sent
// none.
func TestSecretIsMissing(t *testing.T) {
	d := wiretest.New(t, mustNew(t, testConfig()).NewConn(), wire.Hello{}, wiretest.Whole(200))
	d.Feed(response(`{"auth_required":true}`))
	if len(d.Events) != 1 {
		t.Fatalf("events %v, error %v", d.Events, d.Err)
	}
	e := d.Events[0]
	if e.Kind != wire.EventClose || e.Code != wire.CloseBadToken || !strings.Contains(e.Fault.Detail, "--token-file") {
		t.Errorf("event %+v, %v", e, e.Fault)
	}
}

// TestPlainIdentify: after a server has rejected IDENTIFY, later connections request no output
// buffer.
func TestPlainIdentify(t *testing.T) {
	p := mustNew(t, testConfig())
	conn := p.NewConn()
	const named = "output_buffer"
	if hello := string(conn.AppendHello(nil, wire.Hello{})); strings.Count(hello, named) != 2 {
		t.Fatalf("%q", hello)
	}
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	if err := conn.Decode(errorFrame("E_BAD_BODY IDENTIFY output buffer size (65536) is invalid"), &in); err == nil {
		t.Error("no error")
	}
	if hello := string(p.NewConn().AppendHello(nil, wire.Hello{})); strings.Contains(hello, named) {
		t.Errorf("%q", hello)
	}
}

// TestFaultTexts: the texts of errors, which contain neither a message nor a secret.
func TestFaultTexts(t *testing.T) {
	secure := testConfig()
	secure.Secure = true
	auth := response(`{"auth_required":true}`)
	for want, c := range map[string]struct {
		cfg    Config
		token  string
		stream []byte
	}{
		"a frame of size 3, the least is 4 (bad_length)":                        {testConfig(), "", head(3, 0)},
		"after message 1: a frame of size -1, the least is 4 (bad_length)":      {testConfig(), "", in(get(1, "s3cret"), head(-1, 0))},
		"after message 1: a message of size 29, the least is 30 (bad_length)":   {testConfig(), "", in(get(1, "s3cret"), head(29, 2))},
		"after message 0: a frame of type 7 (unknown_op)":                       {testConfig(), "", in(frame(7, "s3cret"))},
		"a message before the end of the login (unexpected_op)":                 {testConfig(), "", get(1, "s3cret")},
		"after message 0: an unexpected response of 6 bytes":                    {testConfig(), "", in(response("s3cret"))},
		"after message 0: a reply of 65537 bytes, at most 65536 (too_large)":    {testConfig(), "", in(head(65541, 0))},
		"a response of 6 bytes during login, expected OK (unexpected_op)":       {testConfig(), "", cat(response("{}"), response("s3cret"))},
		"the answer to IDENTIFY: 6 bytes that are not the expected JSON":        {testConfig(), "", response("s3cret")},
		"the answer to AUTH: 6 bytes that are not the expected JSON (bad_json)": {testConfig(), "s3cret", cat(auth, response("s3cret"))},
		"the server does not offer TLS; see nsqd's --tls-cert (tls)":            {secure, "", response("{}")},
		"1 bytes between the answer to IDENTIFY and the TLS handshake":          {secure, "", cat(response(`{"tls_v1":true}`), []byte("x"))},
		"the server accepts only clients with TLS; use nsq+tls:// (tls)": {testConfig(), "",
			cat(response("{}"), errorFrame("E_INVALID cannot SUB in current state (TLS required)"))},
		`server error E_BAD_TOPIC "SUB topic name \"t\" is not valid" (e_bad_topic)`: {testConfig(), "",
			errorFrame(`E_BAD_TOPIC SUB topic name "t" is not valid`)},
		`server error E_BAD_BODY "IDENTIFY heartbeat interval (1) is invalid"; see --heartbeat (e_bad_body)`: {testConfig(), "",
			errorFrame("E_BAD_BODY IDENTIFY heartbeat interval (1) is invalid")},
		`server error E_BAD_BODY "IDENTIFY output buffer size (1) is invalid" (e_bad_body)`: {testConfig(), "",
			errorFrame("E_BAD_BODY IDENTIFY output buffer size (1) is invalid")},
		`server error E_BAD_BODY "AUTH heartbeat" (e_bad_body)`: {testConfig(), "", cat(response("{}"), errorFrame("E_BAD_BODY AUTH heartbeat"))},
		`server error E_INVALID "*** is not ***" (e_invalid)`:   {testConfig(), "s3cret", errorFrame("E_INVALID s3cret is not s3cret")},
		`server error "*** is it" (nsq)`:                        {testConfig(), "s3cret", errorFrame("s3cret is it")},
		`server error "?secret=***&x" (nsq)`:                    {testConfig(), "a s3cret/", errorFrame("?secret=a+s3cret%2F&x")},
		`server error E_AUTH_ERROR "AUTH ***" (e_auth_error)`:   {testConfig(), "s3cret", cat(auth, errorFrame("E_AUTH_ERROR AUTH s3cret"))},
		`after message 0: server error E_UNAUTHORIZED "***" (e_unauthorized)`: {testConfig(), "s3cret",
			cat(auth, response("{}"), response("OK"), errorFrame("E_UNAUTHORIZED s3cret"))},
		// The limit does not leave a part of the secret at the end.
		`server error "` + bodyOf(125) + `***" (nsq)`:            {testConfig(), "s3cret", errorFrame(bodyOf(125) + "s3cret")},
		`after message 0: server error E_INVALID "" (e_invalid)`: {testConfig(), "", in(errorFrame("E_INVALID"))},
		`server error "what \u00e9 now" (nsq)`:                   {testConfig(), "", errorFrame("what \u00e9 now")},
		`server error E_INVALID "no" (e_invalid)`:                {testConfig(), "", errorFrame("E_INVALID no" + string(message(1, 1, "a payload")))},
		`server error "` + bodyOf(128) + `" (nsq)`:               {testConfig(), "", errorFrame(bodyOf(129))},
	} {
		d := wiretest.New(t, mustNew(t, c.cfg).NewConn(), wire.Hello{Token: []byte(c.token)}, wiretest.Whole(200))
		d.Feed(c.stream)
		if d.Err == nil || !strings.HasPrefix(d.Err.Error(), want) || strings.Contains(d.Err.Error(), "s3cret") {
			t.Errorf("got  %v\nwant %s", d.Err, want)
		}
	}
}

// TestReasons checks that the metrics show all reasons.
func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, reason := range Reasons {
		if seen[reason] || reason != strings.ToLower(reason) {
			t.Errorf("reason %q", reason)
		}
		seen[reason] = true
		_, fault := run(t, mustNew(t, testConfig()), errorFrame(strings.ToUpper(reason)+" x"), wiretest.Whole(100))
		if fault != nil && fault.Reason != reason {
			t.Errorf("%s has reason %q", reason, fault.Reason)
		}
	}
	if !seen["nsq"] || !seen["e_fin_failed"] || len(seen) != 16 {
		t.Errorf("reasons %q", Reasons)
	}
}

func TestNewFaults(t *testing.T) {
	set := func(change func(*Config)) Config {
		cfg := testConfig()
		change(&cfg)
		return cfg
	}
	const topic, channel = "upstream URL: the topic must be 1 to 64 letters", "upstream URL: the channel must be 1 to 64 letters"
	for _, c := range []struct {
		want string // empty: there is none
		cfg  Config
	}{
		{"", testConfig()},
		{"", set(func(c *Config) { c.Topic, c.Channel = "a.B-c_9#ephemeral", "0" })},
		{"", set(func(c *Config) { c.Topic = bodyOf(64) })},
		{"", set(func(c *Config) { c.Topic = bodyOf(54) + "#ephemeral" })},
		{"", set(func(c *Config) { c.Heartbeat, c.RequeueMin, c.InFlight, c.MaxMessage = 0, 0, 1, 1<<30 })},
		{topic, set(func(c *Config) { c.Topic = "" })},
		{topic, set(func(c *Config) { c.Topic = bodyOf(65) })},
		{topic, set(func(c *Config) { c.Topic = bodyOf(55) + "#ephemeral" })},
		{topic, set(func(c *Config) { c.Topic = "#ephemeral" })},
		{topic, set(func(c *Config) { c.Topic = "a#ephemeral#ephemeral" })},
		{topic, set(func(c *Config) { c.Topic = "a#Ephemeral" })},
		{topic, set(func(c *Config) { c.Topic = "a b" })},
		{topic, set(func(c *Config) { c.Topic = "a\n" })},
		{topic, set(func(c *Config) { c.Topic = "\u00e9" })},
		{channel, set(func(c *Config) { c.Channel = "a/b" })},
		{"--max-message: 0 is not", set(func(c *Config) { c.MaxMessage = 0 })},
		{"--max-message: 1073741825 is not", set(func(c *Config) { c.MaxMessage = 1<<30 + 1 })},
		{"--in-flight: 0 is less than 1", set(func(c *Config) { c.InFlight = 0 })},
		{"--heartbeat: 999ms is less than the 1s that nsqd requires", set(func(c *Config) { c.Heartbeat = 999 * time.Millisecond })},
		{"--heartbeat: -1s is less than", set(func(c *Config) { c.Heartbeat = -time.Second })},
		{"--retry-min: -1s is negative", set(func(c *Config) { c.RequeueMin = -time.Second })},
		{topic, Config{}},
	} {
		_, err := New(c.cfg)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%+v: got error %v, want %q", c.cfg, err, c.want)
		}
	}
	if _, err := New(Config{}); strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all faults are in one error: %v", err)
	}
}

func TestTraits(t *testing.T) {
	want := wire.Traits{
		Acks: []wire.AckMode{wire.AckEach}, Login: true, Overhead: 8 + 64<<10,
		HoldBack: true, CanStop: true, Requeues: true, Meta: headless,
		Version: "NSQ V2", Unprobed: "SUB",
	}
	if got := mustNew(t, testConfig()).Traits; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
