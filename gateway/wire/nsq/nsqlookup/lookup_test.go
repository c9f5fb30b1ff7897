package nsqlookup

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is more than any answer of the tests takes.
const patience = 20 * time.Second

// serve starts a server until the test ends.
func serve(t *testing.T, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server
}

// script is a server's current answer.
type script struct{ now atomic.Pointer[scripted] }

type scripted struct {
	status int
	body   string
}

func (s *script) lists(hosts ...string) { s.now.Store(&scripted{http.StatusOK, producers(hosts...)}) }
func (s *script) fails(status int)      { s.now.Store(&scripted{status, "none of your business"}) }

func (s *script) answer(w http.ResponseWriter, _ *http.Request) {
	now := s.now.Load()
	w.WriteHeader(now.status)
	fmt.Fprint(w, now.body)
}

func producers(hosts ...string) string {
	var all []string
	for _, h := range hosts {
		all = append(all, fmt.Sprintf(`{"broadcast_address":%q,"tcp_port":1}`, h))
	}
	return `{"producers":[` + strings.Join(all, ",") + `]}`
}

func lookup(t *testing.T, log *bytes.Buffer, addrs ...string) *Lookup {
	t.Helper()
	l, err := New(Config{Addrs: addrs, Topic: "t#ephemeral", Timeout: patience, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// polls polls and checks the last list reported; want "-" is an error without a list.
func polls(t *testing.T, l *Lookup, want string) {
	t.Helper()
	var lists []string
	err := l.Poll(t.Context(), func(nsqds []string) { lists = append(lists, strings.Join(nsqds, " ")) })
	got := "-"
	if len(lists) > 0 {
		got = lists[len(lists)-1]
	}
	if got != want || (err != nil) != (len(lists) == 0) {
		t.Errorf("%q, %v, not %q", lists, err, want)
	}
}

func TestQuestion(t *testing.T) {
	asked := make(chan *http.Request, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		fmt.Fprint(w, producers("b", "a", "b"))
	})
	var log bytes.Buffer
	polls(t, lookup(t, &log, strings.Replace(server.URL, "//", "//user:s3cret@", 1)+"/nsq?key=v"), "a:1 b:1")
	r := <-asked
	user, password, _ := r.BasicAuth()
	if r.Method != "GET" || r.URL.String() != "/nsq/lookup?key=v&topic=t%23ephemeral" ||
		r.Header.Get("Accept") != "application/vnd.nsq; version=1.0" || user+password != "users3cret" {
		t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
	}
}

// TestListsAreKept: a server's list is replaced only by its next one, and faults are logged when
// they begin and end.
func TestListsAreKept(t *testing.T) {
	var a, b script
	a.lists("x", "y")
	b.lists("y", "z")
	var log bytes.Buffer
	first, second := serve(t, a.answer), serve(t, b.answer)
	l := lookup(t, &log, first.Listener.Addr().String(), strings.Replace(second.URL, "//", "//user:s3cret@", 1)+"?key=s3cret")
	logged := func(want ...string) {
		t.Helper()
		lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		if len(want) == 0 {
			lines = lines[:len(lines)-1]
		}
		log.Reset()
		ok := len(lines) == len(want)
		for i := range want {
			ok = ok && strings.Contains(lines[i], want[i])
		}
		if !ok || strings.Contains(strings.Join(lines, ""), "s3cret") {
			t.Errorf("logged %q, not %q", lines, want)
		}
	}
	polls(t, l, "x:1 y:1 z:1")
	logged()
	b.fails(503)
	polls(t, l, "x:1 y:1 z:1")
	polls(t, l, "x:1 y:1 z:1")
	logged("status 503")
	a.lists("x")
	polls(t, l, "x:1 y:1 z:1")
	a.fails(500)
	polls(t, l, "-")
	logged("status 500")
	b.lists()
	polls(t, l, "x:1")
	a.lists()
	polls(t, l, "")
	polls(t, l, "")
	logged("answers again", "answers again", "no nsqd has the topic")
	a.lists("v w", "x")
	polls(t, l, "x:1")
	polls(t, l, "x:1")
	logged("count=1")
	second.Close()
	polls(t, l, "x:1")
	logged("refused")
}

func TestLongAnswer(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, producers("a"), strings.Repeat(" ", maxAnswer))
	})
	var log bytes.Buffer
	polls(t, lookup(t, &log, server.URL), "-")
	if !strings.Contains(log.String(), "longer than 1048576 bytes") {
		t.Error(log.String())
	}
}

// TestTooMany: nsqds over the limit are left out, always the same ones.
func TestTooMany(t *testing.T) {
	var hosts []string
	for i := range MaxServers + 1 {
		hosts = append(hosts, fmt.Sprintf("h%05d", i))
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, producers(hosts...)) })
	var log bytes.Buffer
	l := lookup(t, &log, server.URL)
	for range 2 {
		var all []string
		err := l.Poll(t.Context(), func(nsqds []string) { all = nsqds })
		if err != nil || len(all) != MaxServers || all[0] != "h00000:1" {
			t.Errorf("%d, %v", len(all), err)
		}
	}
	if strings.Count(log.String(), "too many nsqds") != 1 {
		t.Error(log.String())
	}
}

// TestRedirect: redirects are not followed, so secrets are sent nowhere else.
func TestRedirect(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/lookup" {
			t.Errorf("asked for %s", r.URL)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	var log bytes.Buffer
	polls(t, lookup(t, &log, server.URL), "-")
}

func TestHTTPS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, producers("a")) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	var log bytes.Buffer
	l := lookup(t, &log, server.URL)
	polls(t, l, "-")
	if !strings.Contains(log.String(), "certificate") {
		t.Errorf("a certificate that nobody knows: %s", &log)
	}
	l.client.Transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	polls(t, l, "a:1")
}

// TestMerge compares with a set.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOf(rapid.SliceOf(rapid.StringMatching(`[a-c]{1,2}:[1-3]`))).Draw(t, "lists")
		var before [][]string
		want := make(map[string]bool)
		for _, list := range lists {
			before = append(before, slices.Clone(list))
			for _, addr := range list {
				want[addr] = true
			}
		}
		got := merge(lists)
		for _, addr := range got {
			if !want[addr] {
				t.Errorf("%s is in no list", addr)
			}
		}
		if len(got) != len(want) || !slices.IsSorted(got) || !slices.EqualFunc(lists, before, slices.Equal) {
			t.Errorf("%q becomes %q", before, got)
		}
	})
}
