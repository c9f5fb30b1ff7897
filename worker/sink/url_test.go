package sink_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

func TestServerURLs(t *testing.T) {
	for _, c := range []struct {
		rest  string
		port  uint16
		hosts string
		path  string
		query sink.Query
	}{
		{"//a:1", 0, "a:1", "", nil},
		{"//a:1,b:2/topic", 0, "a:1 b:2", "/topic", nil},
		{"//a/x/y?linger=5ms", 80, "a:80", "/x/y", sink.Query{"linger": "5ms"}},
		{"//[::1],[::1]:81/", 80, "[::1]:80 [::1]:81", "/", nil},
		{"//a:1/{json:topic}%2F?key=json:/a/b%26c&linger=", 0, "a:1", "/{json:topic}%2F", sink.Query{"key": "json:/a/b&c", "linger": ""}},
		{"//a:1?key=field:1:+", 0, "a:1", "", sink.Query{"key": "field:1:+"}},
	} {
		s, err := sink.URL{Scheme: "kafka", Rest: c.rest}.Server(c.port, "key", "linger")
		if err != nil {
			t.Errorf("%s: %v", c.rest, err)
			continue
		}
		if !slices.Equal(s.Hosts, strings.Fields(c.hosts)) || s.Path != c.path || !maps.Equal(s.Query, c.query) {
			t.Errorf("%s: %+v", c.rest, s)
		}
	}
}

func TestServerURLFaults(t *testing.T) {
	for rest, want := range map[string]string{
		"a:1":                 "want // and a host",
		"//":                  "is not HOST:PORT",
		"//a":                 "is not HOST:PORT",
		"//:1":                "has no host",
		"//a:1,":              "is not HOST:PORT",
		"//a:0":               "is not 1 to 65535",
		"//a:kafka":           "is not 1 to 65535",
		"//a:65536":           "is not 1 to 65535",
		"//a:1,a:1":           "a:1 is given twice",
		"//me:s3cret@a:1":     "must not contain a user",
		"//a:1/t#b":           "# has no meaning",
		"//a:1/t?":            `unknown parameter ""`,
		"//a:1/t?acks=1":      `unknown parameter "acks" after ?; known are key, linger`,
		"//a:1/t?key=a&key=a": "key is given twice",
		"//a:1/t?key=%g":      "%25",
	} {
		_, err := sink.URL{Scheme: "kafka", Rest: rest}.Server(0, "key", "linger")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", rest, err, want)
		}
	}
}

// TestAllURLFaults: all faults are named at once, and the rest is there.
func TestAllURLFaults(t *testing.T) {
	s, err := sink.URL{Scheme: "kafka", Rest: "//a:1,b,c:0/t?x=1&key=k&linger=%g&y"}.Server(0, "key", "linger")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"b" is not HOST:PORT`, "is not 1 to 65535", `parameter "x"`, "linger=%g", `parameter "y"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	if !slices.Equal(s.Hosts, []string{"a:1"}) || s.Path != "/t" || s.Query["key"] != "k" {
		t.Errorf("%+v", s)
	}
}

func TestHelpIsGenerated(t *testing.T) {
	help := kinds.Help()
	for _, want := range []string{"discard: acknowledges", "exec:COMMAND runs", "; file:PATH appends", "stdout:, file:PATH write"} {
		if strings.Count(help, want) != 1 {
			t.Errorf("%q is not once in %s", want, help)
		}
	}
	if got := kinds.StreamForms(); got != "stdout:, file:PATH" {
		t.Errorf("one worker is the default of %s", got)
	}
	if got := kinds.DeadLetterForms(); got != "file:PATH" {
		t.Errorf("dead letters go to %s", got)
	}
}

// Of a command, only the program is logged; a query is never logged.
func TestLabels(t *testing.T) {
	for url, want := range map[string]string{
		"exec:TOKEN=s3cret ./handle --password s3cret": "exec:./handle",
		"exec:TOKEN=s3cret":                            "exec:",
		"file:/a?frame=json":                           "file:/a",
		"stdout:":                                      "stdout:",
	} {
		target, err := kinds.Parse("--sink", url, nil)
		if err != nil || target.Label != want {
			t.Errorf("%s is logged as %q: %v", url, target.Label, err)
		}
	}
}

// Errors quote the URL without secrets.
func TestErrorsShowNoSecret(t *testing.T) {
	server := sink.Kind{Schemes: []string{"kafka"}, Form: "kafka://HOST:PORT", Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		_, err := u.Server(0)
		return sink.Target{}, err
	}}
	for _, url := range []string{"kafka://me:s3cret@a:1/t", "kafka://a:1/t?password=s3cret", "kafka://a/b:s3cret@c:1"} {
		_, err := sink.Registry{server}.Parse("--sink", url, nil)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), `--sink "kafka://`) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
