package hostport

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, defaultPort, want, fault string }{
		{text: "a:1", want: "a:1"},
		{text: "a:1", defaultPort: "80", want: "a:1"},
		{text: "a", defaultPort: "80", want: "a:80"},
		{text: "my_host-1.example.:7", want: "my_host-1.example.:7"},
		{text: "müller.example:7", want: "müller.example:7"},
		{text: "[::1]", defaultPort: "80", want: "[::1]:80"},
		{text: "[fe80::1%25eth0]:1", want: "[fe80::1%eth0]:1"},
		{text: "a", fault: `"a" is not HOST:PORT`},
		{text: "", fault: `"" is not HOST:PORT`},
		{text: "", defaultPort: "80", fault: `"" has no host`},
		{text: ":1", fault: `":1" has no host`},
		{text: "::1", defaultPort: "80", fault: `"::1" is not HOST or HOST:PORT`},
		{text: "h:80:80", defaultPort: "80", fault: `"h:80:80" is not HOST or HOST:PORT`},
		{text: "[h]:1", fault: "not an IPv6 address"},
		{text: "[::1", defaultPort: "80", fault: "is not HOST or HOST:PORT"},
		{text: "::1]:1", fault: "is not HOST:PORT"},
		{text: "exa mple", defaultPort: "80", fault: `"exa mple": a host name has no white space`},
		{text: "a\x00:1", fault: "a host name has no"},
		{text: `"a":1`, fault: "a host name has no"},
		{text: "{a}:1", fault: "a host name has no"},
		{text: "a%20b:1", fault: "a host name has no"},
		{text: "a:", fault: `port "" of "a:" is not 1 to 65535`},
		{text: "a:0", fault: "is not 1 to 65535"},
		{text: "a:65536", fault: "is not 1 to 65535"},
		{text: "a:+1", fault: "is not 1 to 65535"},
		{text: "a:http", fault: "is not 1 to 65535"},
	} {
		got, err := Parse(c.text, c.defaultPort)
		switch {
		case c.fault == "" && (err != nil || got != c.want):
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: %q, error %v; want %q", c.text, got, err, c.fault)
		}
	}
}
