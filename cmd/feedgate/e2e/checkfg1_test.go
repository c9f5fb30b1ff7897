package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestCheckFG1: check --fg1 tests a server rule by rule, if --consume allows that, and its exit status shows
// the outcome.
func TestCheckFG1(t *testing.T) {
	t.Parallel()
	address := freshAddress()
	feed := start(t, launch{args: []string{"feed", "--listen=" + address, "--count=1000", "--clients=1000"}})
	feed.waitLog("listening")
	got := command(t, nil, "check", "--fg1", "--consume", "fg://"+address)
	if got.status != 0 || !strings.Contains(got.stdout, "\nok    resend ") || !strings.Contains(got.stdout, " 0 broken, ") {
		t.Errorf("a good server: status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
	refusing := listenFG(t)
	go func() { // it answers every HELLO with BYE 4
		for {
			c, err := refusing.ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write(bye(4).append(nil))
			_ = c.Close()
		}
	}()
	down := freshAddress()
	for name, c := range map[string]struct {
		args   []string
		status int
		words  string
	}{
		"a server that refuses every login": {[]string{"--consume", refusing.url()}, 1, "requires a token: --token-file"},
		"a server that is down":             {[]string{"--consume", "fg://" + down}, 1, down},
		"no consent":                        {[]string{"fg://" + address}, 2, "--consume"},
		"another protocol":                  {[]string{"--consume", "tcp://" + address, "--frame=line"}, 2, "--fg1: want one URL"},
		"two servers":                       {[]string{"--consume", "fg://" + address, "fg://" + down}, 2, "--fg1: want one URL"},
		"with --print":                      {[]string{"--consume", "--print", "fg://" + address}, 2, "--fg1: it cannot be combined"},
	} {
		got := command(t, nil, append([]string{"check", "--fg1"}, c.args...)...)
		if got.status != c.status || !strings.Contains(got.stdout+got.stderr, c.words) {
			t.Errorf("%s: status %d, not %d with %q\n%s%s", name, got.status, c.status, c.words, got.stdout, got.stderr)
		}
	}
	if got := command(t, nil, "check", "--consume", "--sink=discard:", "fg://"+address); got.status != 2 {
		t.Errorf("--consume alone: status %d: %s", got.status, fmt.Sprint(got.stdout, got.stderr))
	}
}
