package sink_test

import (
	"errors"
	"strings"
	"testing"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// queueFlags are flags of one kind of sink.
type queueFlags struct {
	Depth string `name:"queue-depth"`
}

// queue is a sink that is a server, with and without TLS, and with a flag of its own; plain is one
// without TLS.
var (
	queue = sink.Kind{
		Schemes: []string{"queue", "lane"}, Secure: []string{"queue+tls"}, Form: "queue://HOST:PORT",
		Flags: []any{sink.ServerFlags{}, queueFlags{}},
		Parse: func(u sink.URL, flags *flagset.Flags) (sink.Target, error) {
			server, err := u.Server(0)
			if flagset.Of[queueFlags](flags).Depth == "0" {
				err = errors.Join(err, errors.New("--queue-depth: 0 is not 1 or more"))
			}
			return sink.Target{Hosts: server.Hosts, CheckPassword: noSpace, Open: func(cfg *sink.Config) (*sink.Sink, error) {
				return &sink.Sink{Sink: opened{secure: u.Secure, cfg: cfg}}, nil
			}}, err
		},
	}
	plain = sink.Kind{
		Schemes: []string{"plain"}, Form: "plain://HOST:PORT", Flags: []any{sink.ServerFlags{}},
		Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
			server, err := u.Server(0)
			return sink.Target{Hosts: server.Hosts, Open: func(cfg *sink.Config) (*sink.Sink, error) {
				return &sink.Sink{Sink: opened{cfg: cfg}}, nil
			}}, err
		},
	}
	servers = append(sink.Registry{queue, plain}, kinds...)
)

func noSpace(password []byte) error {
	if strings.Contains(string(password), " ") {
		return errors.New("a password must not contain a space")
	}
	return nil
}

// given returns flags of servers.
func given(f sink.ServerFlags, q queueFlags) *flagset.Flags {
	flags := servers.NewFlags()
	*flags.Groups()[0].(*sink.ServerFlags) = f
	*flags.Groups()[1].(*queueFlags) = q
	return flags
}

// TestUnusedFlags: a flag that no sink in use takes is an error.
func TestUnusedFlags(t *testing.T) {
	user, ca, depth := sink.ServerFlags{User: "me"}, sink.ServerFlags{CA: "x", Key: "y"}, queueFlags{Depth: "1"}
	const none = "sinks that are servers, of which this version has none"
	for _, c := range []struct {
		among sink.Registry
		flags *flagset.Flags
		urls  string
		want  string
	}{
		{servers, given(user, queueFlags{}), "queue://a:1", ""},
		{servers, given(user, depth), "exec:x queue+tls://a:1", ""},
		{servers, given(user, queueFlags{}), "exec:x file:y", "--sink-user: goes with queue:// and lane:// and queue+tls:// and plain://, not with exec:, file:"},
		{servers, given(user, depth), "plain://a:1", "--queue-depth: goes with queue:// and lane:// and queue+tls://, not with plain://"},
		{servers, given(ca, queueFlags{}), "queue+tls://a:1", ""},
		{servers, given(ca, queueFlags{}), "queue://a:1", "--sink-ca: queue:// has no TLS; use queue+tls://, or leave it out\n--sink-key: queue:// has no TLS; use queue+tls://, or leave it out"},
		{servers, given(ca, queueFlags{}), "queue+tls://a:1 plain://a:1", "--sink-ca: plain:// has no TLS; leave it out\n--sink-key: plain:// has no TLS; leave it out"},
		{servers, given(ca, queueFlags{}), "lane://a:1", "--sink-ca: lane:// has no TLS; leave it out\n--sink-key: lane:// has no TLS; leave it out"},
		{servers, given(user, queueFlags{}), "unknown:x", ""},
		{kinds, given(user, queueFlags{}), "exec:x", "--sink-user: goes with " + none + ", not with exec:"},
		{kinds, nil, "exec:x", ""},
	} {
		err := errors.Join(c.among.Unused(c.flags, strings.Fields(c.urls)...)...)
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.urls, err, c.want)
		}
	}
}

// TestServerHelp: the help is right with sinks that are servers and without.
func TestServerHelp(t *testing.T) {
	if got := kinds.ServerTitle(); got != "For sinks that are servers (this version has none):" {
		t.Error(got)
	}
	if got := servers.ServerTitle(); got != "For sinks that are servers (queue, plain):" {
		t.Error(got)
	}
	if none, some := kinds.ServerHelp(), servers.ServerHelp(); !strings.Contains(none, "has none") || !strings.Contains(some, "always verified") {
		t.Errorf("%s\n%s", none, some)
	}
	if n := len(kinds.NewFlags().Groups()); n != 1 {
		t.Errorf("%d groups of flags where no sink has any; want those of servers", n)
	}
}

// TestFaultsOfFlags: an error begins with the flag at fault, which may be the one with the URL.
func TestFaultsOfFlags(t *testing.T) {
	_, err := servers.Parse("--sink", "queue://a", given(sink.ServerFlags{}, queueFlags{Depth: "0"}))
	want := `--sink "queue://a": not a sink: "a" is not HOST:PORT` + "\n--queue-depth: 0 is not 1 or more"
	if !errors.Is(err, sink.ErrURL) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
