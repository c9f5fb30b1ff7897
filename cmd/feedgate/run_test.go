package main

import (
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/framed"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/tcp"
	"feedgate/gateway/wire/ws"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/flagset"
)

// runFlags are all flags of run, with the field of gateway.Config that each one sets; "": none. The
// values differ from the defaults and from each other, so that a test finds fields that are mixed up.
var runFlags = []struct {
	name, value string
	bad         []string // values that the command line refuses
	field       string
	want        any
}{
	{"workers", "3", []string{"0", "-1", "x", ""}, "Workers", 3},
	{"dispatch", "key", nil, "Dispatch", "key"},
	{"key", "json:user", nil, "Key", "json:user"},
	{"id", "json:order", nil, "ID", "json:order"},
	{"output", "{data}", nil, "Output", "{data}"},
	{"ring", "16", []string{"0", "1e3"}, "Ring", 16},
	{"sink", "discard:", []string{"", "nothing", "foo:", "discard:x", "spin:x", "file:", "exec:"}, "SinkLabel", "discard:"},
	{"retries", "5", []string{"x"}, "Retries", 5},
	{"retry-min", "6ms", []string{"0", "-1s", "6"}, "RetryMin", 6 * time.Millisecond},
	{"dead-letter", "file:refused", []string{"nowhere", "file:", "discard:"}, "DeadLetterLabel", "file:refused"},
	{"ack", "range", nil, "Ack", "range"},
	{"ack-interval", "7ms", []string{"0s", "x"}, "AckInterval", 7 * time.Millisecond},
	{"flush-max", "8", []string{"0"}, "FlushMax", 8},
	{"flush-pack", "9", []string{"x"}, "FlushPack", 9},
	{"max-message", "10KiB", []string{"0", "-1", "10KB", "10 KiB", "9999999999GiB", ""}, "MaxMessage", int64(10 << 10)},
	{"in-flight", "11", []string{"0"}, "InFlight", 11},
	{"memory", "12MiB", []string{"0MiB", "x"}, "Memory", int64(12 << 20)},
	{"heartbeat", "13s", []string{"0"}, "Heartbeat", 13 * time.Second},
	{"idle-timeout", "14s", []string{"-1s", "x"}, "IdleTimeout", 14 * time.Second},
	{"connect-timeout", "15s", []string{"0"}, "ConnectTimeout", 15 * time.Second},
	{"write-timeout", "16s", []string{"0"}, "WriteTimeout", 16 * time.Second},
	{"reconnect-min", "17ms", []string{"0"}, "ReconnectMin", 17 * time.Millisecond},
	{"reconnect-max", "18s", []string{"0"}, "ReconnectMax", 18 * time.Second},
	{"connect-attempts", "9", []string{"-1", "x"}, "ConnectAttempts", 9},
	{"client-name", "me", nil, "ClientName", "me"},
	{"token-file", "none", []string{"/nonexistent/token"}, "", nil},
	{"frame", "line", nil, "", nil},
	{"hello", "HI", nil, "", nil},
	{"ack-template", "A{n}", nil, "", nil},
	{"heartbeat-template", "PING", nil, "", nil},
	{"ignore-prefix", "PONG", nil, "", nil},
	{"assemble", "json:i,c,d", nil, "", nil},
	{"ws-header", "A: b, c", nil, "", nil},
	{"ws-subprotocol", "feed", nil, "", nil},
	{"ws-origin", "http://a", nil, "", nil},
	{"nsqlookupd", "", []string{"a:1"}, "", nil}, // goes with nsq:///
	{"sink-user", "", []string{"me"}, "", nil},   // goes with sinks that are servers
	{"sink-password-file", "", []string{"secret"}, "", nil},
	{"sink-header", "", []string{"A: b"}, "", nil},
	{"sink-ca", "", []string{"ca"}, "", nil},
	{"sink-cert", "", []string{"cert"}, "", nil},
	{"sink-key", "", []string{"key"}, "", nil},
	{"tls-ca", "", []string{"missing"}, "", nil},
	{"tls-cert", "", nil, "", nil},
	{"tls-key", "", nil, "", nil},
	{"tls-server-name", "feed.example", nil, "", nil},
	{"exit-on-close", "true", []string{"maybe"}, "ExitOnClose", true},
	{"drain-timeout", "19s", []string{"0"}, "DrainTimeout", 19 * time.Second},
	{"stall-after", "21s", []string{"-1s", "x"}, "StallAfter", 21 * time.Second},
	{"debug", "true", []string{"maybe"}, "", nil},
	{"stats-every", "22s", []string{"-1s", "x"}, "", nil},
	{"state", "in.state", nil, "", nil},
	{"admin", "", []string{"foo", "127.0.0.1", ":x", ":65536", ":-1"}, "", nil},
	{"maxprocs", "runtime", []string{"0", "-1", "all", ""}, "", nil},
	{"log-format", "json", []string{"xml", ""}, "", nil},
	{"log-level", "debug", []string{"loud", ""}, "", nil},
	{"config", "", []string{"/nonexistent/config"}, "", nil},
}

// TestRunFlags: run has exactly these flags.
func TestRunFlags(t *testing.T) {
	line, err := parse([]string{"run"}, &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, flag := range line.context.Selected().Flags {
		got = append(got, flag.Name)
	}
	for _, flag := range runFlags {
		want = append(want, flag.name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("flags\n%s\nnot\n%s", got, want)
	}
}

// TestConfig: every flag sets its field of gateway.Config.
func TestConfig(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	var args []string
	token := credential.NewSecret([]byte("secret"))
	at := wire.Upstream{URL: "fg://a:1", Scheme: &fg1.Scheme, Hosts: []string{"a:1"}, Secure: true, Protocol: fg1.Protocol{}}
	want := gateway.Config{
		URL: at.URL, Hosts: at.Hosts, Secure: true, Protocol: at.Protocol, Label: "a", Token: token, DataOnly: true, Log: log,
	}
	for _, flag := range runFlags {
		if flag.field != "" {
			args = append(args, "--"+flag.name+"="+flag.value)
			reflect.ValueOf(&want).Elem().FieldByName(flag.field).Set(reflect.ValueOf(flag.want))
		}
	}
	c, _ := mustParseRun(t, args...)
	if got := c.config(at, "a", secrets{token: token}, log); !reflect.DeepEqual(got, want) {
		t.Errorf("config\n%+v\nnot\n%+v", got, want)
	}

	set := reflect.ValueOf(want)
	for i := range set.NumField() {
		name := set.Type().Field(i).Name
		if opened := name == "Sink" || name == "DeadLetters" || name == "State" || name == "TLS" || name == "Credit" || name == "SinkIsRemote" || name == "SinkMeta"; set.Field(i).IsZero() && !opened {
			t.Errorf("no flag sets %s", name)
		}
	}
}

// TestProtocolFlags: each protocol receives its own flags.
func TestProtocolFlags(t *testing.T) {
	c, _ := mustParseRun(t, "--frame=line", "--hello=HI", "--ack-template=A{n}", "--heartbeat-template=PING",
		"--ignore-prefix=PONG", "--assemble=json:i,c,d", "--ws-header=A: b, c", "--ws-header=D: e",
		"--ws-subprotocol=feed", "--ws-origin=http://a", "--nsqlookupd=a:1,b:2")
	shared := framed.Flags{
		Hello: "HI", AckTemplate: "A{n}", HeartbeatTemplate: "PING", IgnorePrefix: "PONG", Assemble: "json:i,c,d",
	}
	for url, want := range map[string]wire.Protocol{
		"fg://a:1":      fg1.Protocol{},
		"tcp://a:1":     tcp.Protocol{Flags: tcp.Flags{Frame: "line"}, Framed: shared},
		"nsq://a:1/t/c": nsq.Protocol{Topic: "t", Channel: "c"},
		"ws://a/p?q": ws.Protocol{Path: "/p?q", Framed: shared, Flags: ws.Flags{
			Headers: []string{"A: b, c", "D: e"}, Subprotocol: "feed", Origin: "http://a",
		}},
	} {
		if u, err := protocols.Parse(url, c.flags); err != nil || !reflect.DeepEqual(u.Protocol, want) {
			t.Errorf("%s: %+v, %v; want %+v", url, u.Protocol, err, want)
		}
	}
	if got := flagset.Of[nsq.LookupFlags](c.flags).Lookupd; !slices.Equal(got, []string{"a:1", "b:2"}) {
		t.Errorf("--nsqlookupd %q", got)
	}
}

// TestFlagsNeedATaker: a flag is an error if no URL's protocol uses it.
func TestFlagsNeedATaker(t *testing.T) {
	for _, c := range []struct{ urls, flag, want string }{
		{"fg://a:1", "--frame=line", "--frame: goes with tcp://, not with fg://"},
		{"fg://a:1 fg+tls://b:1", "--hello=x", "--hello: goes with tcp:// and ws://, not with fg://, fg+tls://"},
		{"fg://a:1 ws://b", "--hello=x", ""},
		{"nsq://a:1/t/c", "--nsqlookupd=l:1", "--nsqlookupd: goes with nsq:///TOPIC/CHANNEL, a URL without a host"},
		{"nsq://a:1/t/c nsq:///t/c", "--nsqlookupd=l:1", ""},
	} {
		run, _ := mustParseRun(t, append(strings.Fields(c.urls), c.flag)...)
		_, err := run.checkUpstreams(secrets{})
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s %s: %v, want %s", c.urls, c.flag, err, c.want)
		}
	}
}

// TestDataOnly: only sinks that write ids use metadata.
func TestDataOnly(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"--sink=exec:cat"}, true},
		{[]string{"--sink=file:a?frame=length"}, true},
		{[]string{"--sink=file:a?frame=json"}, false},
		{[]string{"--sink=stdout:?frame=json"}, false},
		{[]string{"--sink=discard:", "--dead-letter=file:a"}, true},
		{[]string{"--sink=discard:", "--dead-letter=file:a?frame=json"}, false},
	} {
		r, _ := mustParseRun(t, c.args...)
		if got := r.config(wire.Upstream{}, "", secrets{}, nil).DataOnly; got != c.want {
			t.Errorf("%q: data only: %v", c.args, got)
		}
	}
}

// TestSinkMeta: the names of metadata in a sink's URL are checked against the protocol.
func TestSinkMeta(t *testing.T) {
	for url, want := range map[string][]string{
		"kafka://a/orders": nil,
		"kafka://a/t-{meta:topic}{meta:topic}?key=meta:id": {"id", "topic"},
		"kafka://a/t-{json:kind:text}?key=meta:topic":      {"topic"},
	} {
		r, _ := mustParseRun(t, "--sink="+url)
		if got := r.config(wire.Upstream{}, "", secrets{}, nil).SinkMeta; !slices.Equal(got, want) {
			t.Errorf("%s: metadata %q, want %q", url, got, want)
		}
	}
}

// TestDefaults: the defaults of the command line are those of the gateway.
func TestDefaults(t *testing.T) {
	for _, url := range []string{"fg://a:1", "tcp://a:1"} {
		c, _ := mustParseRun(t, "--frame=line")
		u, err := protocols.Parse(url, c.flags)
		if err != nil {
			t.Fatal(err)
		}
		got, want := c.config(u, "", secrets{}, nil), gateway.Config{Protocol: u.Protocol, Hosts: u.Hosts, DataOnly: true}
		for _, cfg := range []*gateway.Config{&got, &want} {
			cfg.Sink = worker.Each(nil)
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			cfg.TLS = nil // a new value each time
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("config\n%+v\nnot\n%+v", got, want)
		}
	}
	c, _ := mustParseRun(t, "--idle-timeout=0")
	if got := c.config(wire.Upstream{}, "", secrets{}, nil).IdleTimeout; got != gateway.NoTimeout {
		t.Errorf("idle timeout 0 is %v", got)
	}
}
