package gateway

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// stored returns a state with a session for each URL, whose id is the URL.
func stored(t *testing.T, urls ...string) *State {
	t.Helper()
	s, err := OpenState(filepath.Join(t.TempDir(), "state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, url := range urls {
		s.set(url, stateEntry{url, uint64(i)})
	}
	return s
}

// TestStateFindsSession: an upstream finds its session by scheme, path and a shared host, and
// stores it under its own name.
func TestStateFindsSession(t *testing.T) {
	for _, c := range []struct{ url, want, stored string }{
		{"fg://a:1", "fg://a:1", "fg://a:1 fg://b:1"},
		{"fg://b:1,a:1", "fg://a:1,b:1", "fg://a:1,b:1"},
		{"fg://a:1", "fg://b:1,a:1", "fg://b:1,a:1"},
		{"fg://c:1,a:1", "fg://a:1", "fg://a:1"},
		{"fg://A:1", "fg://a:1", "fg://a:1"},
		{"fg://a:1", "fg://A:1,b:1", "fg://A:1,b:1"},
		{"fg://a:1,b:1,c:1", "fg://b:1,c:1", "fg://a:1 fg://b:1,c:1"},             // most in common
		{"fg://b:1", "fg://b:1", "fg://a:1,b:1 fg://b:1"},                         // its own
		{"fg://a:1,a:1,b:1", "fg://b:1,c:1,d:1", "fg://b:1,c:1,d:1 fg://e:1"},     // once counts once
		{"fg://c:1,b:1,b:1", "fg://b:1,b:1,e:1", "fg://c:1,d:1 fg://b:1,b:1,e:1"}, // the first of equals
		{"fg://a:2", "", "fg://a:1"},                                              // another port
		{"fgs://a:1", "", "fg://a:1"},                                             // another scheme
		{"ws://a:1/x?topic=1", "ws://b:1,a:1/x?topic=1", "ws://b:1,a:1/x?topic=1 ws://a:1/x?topic=2 ws://a:1/y"},
		{"ws://a:1/x?topic=3", "", "ws://a:1/x?topic=1 ws://a:1/x ws://a:1"},
	} {
		s := stored(t, strings.Fields(c.stored)...)
		name := parseStateName(c.url)
		for round := range 2 {
			if got := s.claim(name); got.Session != c.want {
				t.Errorf("%s in %s, round %d: %q, want %q", c.url, c.stored, round, got.Session, c.want)
			}
		}
		if c.want == "" {
			continue
		}
		want := make(map[string]string)
		for url := range strings.FieldsSeq(c.stored) {
			if url != c.want {
				want[url] = url
			}
		}
		want[name.String()] = c.want
		got := make(map[string]string)
		for name, e := range s.entries {
			got[name] = e.Session
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s in %s: now %v, want %v", c.url, c.stored, got, want)
		}
	}
}

// TestStateName: the name has the ports that a URL may omit, and hosts in lower case.
func TestStateName(t *testing.T) {
	cfg := Config{URL: "ws://A,b:81/x?q=a,b://c", Hosts: []string{"A:80", "b:81"}}
	const want = "ws://a:80,b:81/x?q=a,b://c"
	if got := cfg.stateName().String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := parseStateName(want); n.String() != want || n.commonHosts(cfg.stateName()) != 2 {
		t.Errorf("%+v", n)
	}
}

// TestStateCheck: two upstreams must not resume the same stored session.
func TestStateCheck(t *testing.T) {
	s := stored(t, "fg://a:1,b:1", "fg://c:1")
	config := func(hosts ...string) Config { return Config{URL: "fg://" + strings.Join(hosts, ","), Hosts: hosts} }
	for _, c := range []struct {
		upstreams []Config
		good      bool
	}{
		{[]Config{config("a:1"), config("b:1")}, false},
		{[]Config{config("c:1"), config("b:1", "d:1"), config("x:1"), config("a:1")}, false},
		{[]Config{config("a:1", "b:1"), config("c:1"), config("x:1"), config("y:1")}, true},
	} {
		err := s.Check(c.upstreams)
		if (err == nil) != c.good || err != nil && (!strings.HasPrefix(err.Error(), "--state: ") || !strings.Contains(err.Error(), "a:1,b:1")) {
			t.Errorf("%v: %v", c.upstreams, err)
		}
	}
	if SameSession(config("a:1", "b:1"), config("c:1")) || !SameSession(config("a:1", "b:1"), config("c:1", "b:1")) {
		t.Error("SameSession is not whether a host is shared")
	}
}
