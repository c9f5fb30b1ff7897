package e2e

import (
	"strings"
	"testing"
)

// TestPrecedence: a flag overrides its environment variable, which overrides the configuration file. HELLO
// has the resulting client name.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := configFile(t, "client-name: from-file\n")
	for name, c := range map[string]struct {
		env, args []string
		want      string
	}{
		"file":                  {nil, []string{"--config=" + file}, "from-file"},
		"file by environment":   {[]string{"FEEDGATE_CONFIG=" + file}, nil, "from-file"},
		"environment":           {[]string{"FEEDGATE_CLIENT_NAME=from-env"}, nil, "from-env"},
		"environment over file": {[]string{"FEEDGATE_CLIENT_NAME=from-env"}, []string{"--config=" + file}, "from-env"},
		"flag over environment": {[]string{"FEEDGATE_CLIENT_NAME=from-env"}, []string{"--client-name=from-flag"}, "from-flag"},
		"flag over both": {[]string{"FEEDGATE_CLIENT_NAME=from-env"},
			[]string{"--config=" + file, "--client-name=from-flag"}, "from-flag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenFG(t)
			p := runWith(t, launch{args: append([]string{s.url()}, c.args...), env: c.env})
			conn := s.accept()
			if _, h := conn.welcome(1, "{}"); h.Client != c.want {
				t.Errorf("client %q, want %q", h.Client, c.want)
			}
			p.stop(conn)
		})
	}
}

// TestConfigFileHasEveryTypeOfValue: sizes, durations, booleans, numbers and strings.
func TestConfigFileHasEveryTypeOfValue(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	config := configFile(t, strings.Join([]string{
		"max-message: 1KiB", "memory: 65536", "heartbeat: 50ms", "exit-on-close: true", "workers: 1",
		"sink: file:" + sink.path, "",
	}, "\n"))
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--config=" + config}, sink: true})
	c := s.accept()
	c.welcome(1, "{}")
	c.pings(2)
	c.send(data(1, "fits"), data(2, strings.Repeat("x", 1025)))
	if codes := c.acks(2); codes[1] != 0 || codes[2] != 3 {
		t.Errorf("codes %v", codes)
	}
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "fits")
}

func TestEnvironmentHasEveryTypeOfValue(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenTCP(t)
	p := runWith(t, launch{args: []string{s.url()}, sink: true, env: []string{
		"FEEDGATE_FRAME=line", `FEEDGATE_ACK_TEMPLATE=A{n}\n`, "FEEDGATE_EXIT_ON_CLOSE=true", "FEEDGATE_WORKERS=1",
		"FEEDGATE_SINK=file:" + sink.path,
	}})
	c := s.accept()
	c.send([]byte("one\ntwo\n"))
	checkLineAcks(t, c.rest(), 2)
	p.exit(0)
	sink.holds(t, "one", "two")
}
