package fgcheck

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/feedserver"
	"feedgate/cmd/feedgate/feedserver/feedtest"
	"feedgate/gateway/tlstest"
)

// patience is longer than any answer takes on a busy machine.
const patience = 10 * time.Second

// brief is for checks that wait for what never comes; a busy machine answers within it.
const brief = 2 * time.Second

// check runs the check, and returns the mark of each rule and the output.
func check(t *testing.T, cfg Config) (marks map[rule]string, out string, err error) {
	t.Helper()
	var b bytes.Buffer
	err = Run(t.Context(), cfg, &b)
	marks = map[rule]string{}
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); f[0] == "ok" || f[0] == "FAIL" || f[0] == "-" {
			marks[rule(f[1])] = f[0]
		}
	}
	return marks, b.String(), err
}

// withMark returns the rules with this mark, in the order of the output.
func withMark(marks map[rule]string, mark string) []rule {
	var names []rule
	for _, text := range rules {
		if marks[text.name] == mark {
			names = append(names, text.name)
		}
	}
	return names
}

// expectMarks checks that no rule is broken, and that these and no others are not seen.
func expectMarks(t *testing.T, marks map[rule]string, out string, err error, unseen ...rule) {
	t.Helper()
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	if len(marks) != len(rules) {
		t.Errorf("%d rules in the output, want %d", len(marks), len(rules))
	}
	slices.Sort(unseen)
	if got := slices.Sorted(slices.Values(withMark(marks, "-"))); !slices.Equal(got, unseen) {
		t.Errorf("not seen: %v, want %v", got, unseen)
	}
	if t.Failed() {
		t.Log("\n" + out)
	}
}

// TestFeed: the feed server keeps every rule that it gives an occasion for.
func TestFeed(t *testing.T) {
	a := tlstest.NewAuthority(t)
	type unseen = []rule
	for name, test := range map[string]struct {
		feed   feedserver.Config
		check  Config
		unseen unseen
	}{
		"everything": {
			feed:  feedserver.Config{Count: 1000, Parts: 3, Token: []byte("s3cret")},
			check: Config{Token: []byte("s3cret")},
		},
		"no token, whole messages": {
			feed:   feedserver.Config{Count: 1000},
			unseen: unseen{badToken, parts},
		},
		"each only": {
			feed:   feedserver.Config{Count: 1000, Acks: []string{"each"}},
			unseen: unseen{badToken, parts, ackTo},
		},
		"range only": {
			feed:   feedserver.Config{Count: 1000, Acks: []string{"range"}},
			unseen: unseen{badToken, parts, ackEach},
		},
		"HELLO's seq ignored": {
			feed:   feedserver.Config{Count: 1000, IgnoreHelloSeq: true},
			unseen: unseen{badToken, parts},
		},
		"endless": {
			feed:   feedserver.Config{Count: feedserver.Endless},
			check:  Config{Messages: 2000},
			unseen: unseen{badToken, parts, bye},
		},
		"TLS": {
			feed:   feedserver.Config{Count: 1000, TLS: a.Server()},
			check:  Config{TLS: a.Client()},
			unseen: unseen{badToken, parts},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := feedtest.Start(t, test.feed)
			test.check.Address, test.check.Timeout = s.Addr().String(), patience
			marks, out, err := check(t, test.check)
			expectMarks(t, marks, out, err, test.unseen...)
		})
	}
}

// TestFewMessages: a feed that ends early is no broken rule.
func TestFewMessages(t *testing.T) {
	for _, count := range []int64{1, 2, 3, 5, 8} {
		t.Run(strconv.FormatInt(count, 10), func(t *testing.T) {
			t.Parallel()
			s := feedtest.Start(t, feedserver.Config{Count: count})
			marks, out, err := check(t, Config{Address: s.Addr().String(), Timeout: brief})
			if err != nil || marks[bye] != "ok" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestOneAtATime: a server that waits for the ack of each message is tested as far as possible.
func TestOneAtATime(t *testing.T) {
	s := feedtest.Start(t, feedserver.Config{Count: 100, Window: 1})
	marks, out, err := check(t, Config{Address: s.Addr().String(), Timeout: brief})
	expectMarks(t, marks, out, err, badToken, parts, ackOne)
}

// TestUntested: the error of a server that cannot be tested names what is at fault, and nothing is
// printed.
func TestUntested(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	down := feedtest.Start(t, feedserver.Config{})
	address := down.Addr().String()
	if err := down.Close(); err != nil {
		t.Fatal(err)
	}
	locked := feedtest.Start(t, feedserver.Config{Token: []byte("s3cret")}).Addr().String()
	secure := feedtest.Start(t, feedserver.Config{TLS: a.Server()}).Addr().String()
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"no port":           {Config{Address: "localhost"}, "HOST:PORT"},
		"down":              {Config{Address: address}, "connection refused"},
		"no token":          {Config{Address: locked}, "requires a token: --token-file"},
		"another token":     {Config{Address: locked, Token: []byte("s4cret")}, "--token-file: "},
		"token not UTF-8":   {Config{Address: locked, Token: []byte("s3cret\xff")}, "--token-file: "},
		"another authority": {Config{Address: secure, TLS: other.Client()}, "certificate"},
		"TLS to plain":      {Config{Address: locked, TLS: a.Client()}, "TLS"},
	} {
		test.cfg.Timeout = patience
		_, out, err := check(t, test.cfg)
		if !errors.Is(err, ErrUntested) || errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if out != "" {
			t.Errorf("%s: output\n%s", name, out)
		}
		if err != nil && strings.Contains(err.Error(), "4cret") {
			t.Errorf("%s: the token is in %v", name, err)
		}
	}
}

// TestCancel: the end of the context ends the check, and is no fault of the server.
func TestCancel(t *testing.T) {
	s := newServer(t, faults{unresponsive: true})
	ctx, cancel := context.WithCancel(t.Context())
	var b bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Config{Address: s.address, Timeout: time.Hour}, &b) }()
	<-s.accepted
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || strings.Contains(b.String(), "FAIL") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestRules: names are unique and fit for grep, and every rule has a text.
func TestRules(t *testing.T) {
	names := map[rule]bool{}
	for _, text := range rules {
		if text.sentence == "" || text.occasion == "" || strings.ContainsAny(string(text.name), " \t") {
			t.Errorf("%+v", text)
		}
		names[text.name] = true
	}
	if len(names) != len(rules) {
		t.Errorf("%d names for %d rules: %v", len(names), len(rules), slices.Collect(maps.Keys(names)))
	}
}
