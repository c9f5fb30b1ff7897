package gateway

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// TestContentFaults: an error about unknown metadata lists the metadata that the protocol has.
func TestContentFaults(t *testing.T) {
	for _, c := range []struct {
		url    string
		change func(*Config)
		want   string // empty: no fault
	}{
		{"fg://a:1", func(c *Config) { c.Dispatch, c.Key = "key", "meta:session" }, ""},
		{"fg://a:1", func(c *Config) { c.ID, c.Output = "json:id", "{id} {meta:seq} {data}" }, ""},
		{"nsq://a:1/t/c", func(c *Config) { c.Dispatch, c.Key, c.ID = "key", "meta:id", "meta:attempts" }, ""},
		{"ws://a:1", func(c *Config) { c.Output = "{meta:kind}"; setFlag(c, "ack-template", "{meta:kind} {id}") }, ""},
		{"tcp://a:1", func(c *Config) { c.ID = "bytes:0:4"; setFlag(c, "frame", "line"); setFlag(c, "ack-template", "{id}") }, ""},

		{"nsq://a:1/t/c", func(c *Config) { c.Dispatch, c.Key = "key", "meta:topic" },
			"--key: meta:topic: nsq:// has id, timestamp, attempts"},
		{"fg+tls://a:1", func(c *Config) { c.ID = "meta:id" }, "--id: meta:id: fg+tls:// has session, seq"},
		{"wss://a:1", func(c *Config) { c.Output = "{meta:kind}{meta:id}{meta:x}" },
			"--output: meta:id: wss:// has kind\n--output: meta:x: wss:// has kind"},
		{"tcp://a:1", func(c *Config) { c.Output = "{meta:id}"; setFlag(c, "frame", "line") }, "--output: meta:id: tcp:// has no metadata"},
		{"tcp://a:1", func(c *Config) { c.SinkMeta = []string{"id"}; setFlag(c, "frame", "line") }, "--sink: meta:id: tcp:// has no metadata"},
		{"tcp://a:1", func(c *Config) { setFlag(c, "frame", "line"); setFlag(c, "ack-template", "{meta:id}") }, "--ack-template: meta:id: tcp:// has no metadata"},
		{"ws://a:1", func(c *Config) { setFlag(c, "ack-template", "{meta:id}") }, "--ack-template: meta:id: ws:// has kind"},
		{"fg://a:1", func(c *Config) { c.ID = "seq" }, `--id: selector "seq": want bytes:`},
		{"fg://a:1", func(c *Config) { c.Output = "a{code}" }, "--output: byte 2: placeholder {code}: only an ack has a code"},
		{"fg://a:1", func(c *Config) { c.Output = "{token}" }, "--output: byte 1: placeholder {token}: only --hello has the token"},
		{"fg://a:1", func(c *Config) { c.Dispatch, c.Key = "key", "meta:" }, `--key: selector "meta:": NAME is missing`},
		{"fg://a:1", func(c *Config) { c.MaxMessage, c.Memory, c.Output = 1<<30, 4<<30, "{data}{data}{data}{data}" },
			"--output: it can make more than 4 GiB"},
		{"fg://a:1", func(c *Config) { c.MaxMessage, c.Memory, c.Output = 1<<30, 4<<30, "{data}{data}{data}{n}" }, ""},
	} {
		cfg := testConfig(t, c.url, accept)
		c.change(&cfg)
		got := ""
		if err := ByFlag(cfg.Validate()); err != nil {
			got = err.Error()
		}
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
}

// TestHeadsAreLeftOut: heads are passed on only if something uses metadata.
func TestHeadsAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   bool
	}{
		{func(c *Config) {}, false},
		{func(c *Config) { c.DataOnly = false }, true},
		{func(c *Config) { c.Dispatch, c.Key = "key", "bytes:0:1" }, false},
		{func(c *Config) { c.Dispatch, c.Key = "key", "meta:id" }, true},
		{func(c *Config) { c.ID = "bytes:0:1" }, false},
		{func(c *Config) { c.ID = "meta:id" }, true},
		{func(c *Config) { c.Output = "{data}{n}" }, false},
		{func(c *Config) { c.Output = "{id}" }, true},
		{func(c *Config) { c.Output = "{meta:attempts}" }, true},
	} {
		cfg := testConfig(t, "nsq://a:1/t/c", accept)
		cfg.DataOnly = true
		c.change(&cfg)
		set, err := cfg.validate()
		if err != nil {
			t.Fatal(err)
		}
		if got := set.codec.Meta.Split != nil; got != c.want {
			t.Errorf("key %q, id %q, output %q, data only %v: heads are passed on: %v", cfg.Key, cfg.ID, cfg.Output, cfg.DataOnly, got)
		}
	}
}

// TestMetadataReachesHandlers uses two connections with different sessions.
func TestMetadataReachesHandlers(t *testing.T) {
	var mu sync.Mutex
	var got []string
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), func(m worker.Message) worker.Code {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(m.ID(), " ", m.Meta("session"), " ", m.Meta("seq"), " ", m.Upstream(), " ", string(m.Data), " ", string(m.Received())))
		return worker.OK
	})
	cfg.Label, cfg.Output, cfg.Dispatch, cfg.Key = "label", "<{data} {id}>", "key", "meta:seq"
	r := start(t, cfg)
	for i, session := range []string{"one", ""} {
		c := feed.login(uint64(7*i+5), fmt.Sprintf(`{"session":%q}`, session))
		first := uint64(7*i + 5)
		c.data(first, "a")
		c.expect(fg1.Ack, 0, first)
		c.data(first+1, "b")
		c.expect(fg1.Ack, 0, first+1)
		if i == 0 {
			c.Close()
			continue
		}
		c.bye()
		c.expect(fg1.Bye, 0, 0)
		c.Close()
	}
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"one-5 one 5 label <a one-5> a", "one-6 one 6 label <b one-6> b",
		"  12 label <a > a", "  13 label <b > b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestKeysWithHeads: if heads precede the data, keys are picked from the data alone.
func TestKeysWithHeads(t *testing.T) {
	server := newTestNSQD(t)
	var mu sync.Mutex
	workers := map[string]int{} // by first byte of the data: which handlers had it
	sink := &countingSink{Sink: worker.Each(nil), seen: func(n int, m worker.Message) {
		mu.Lock()
		defer mu.Unlock()
		workers[string(m.Data[:1])] |= 1 << n
		if m.ID() == "" || m.Meta("attempts") != "1" {
			t.Errorf("id %q, attempts %q", m.ID(), m.Meta("attempts"))
		}
	}}
	cfg := testConfig(t, server.url(), nil)
	cfg.Workers, cfg.Sink, cfg.Dispatch, cfg.Key, cfg.ExitOnClose = 4, sink, "key", "bytes:0:1", false
	r := start(t, cfg)
	c := server.subscribed()
	const n = 400
	for i := range n {
		c.frame(2, fmt.Sprintf("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01%016x%c", i, 'a'+i%20))
	}
	for done := map[string]bool{}; len(done) < n; {
		if line := c.line(); strings.HasPrefix(line, "FIN ") {
			done[line] = true
		}
	}
	r.cancel()
	c.Close()
	if err := r.wait(); err != nil {
		t.Log(err) // the server has not answered CLS
	}
	if len(workers) != 20 {
		t.Errorf("%d keys", len(workers))
	}
	all := 0
	for key, set := range workers {
		if set&(set-1) != 0 {
			t.Errorf("key %q was with several workers: %b", key, set)
		}
		all |= set
	}
	if all&(all-1) == 0 {
		t.Errorf("all keys were with one worker: %b", all)
	}
}

// countingSink numbers its handlers.
type countingSink struct {
	worker.Sink
	seen   func(handler int, m worker.Message)
	opened int
}

func (s *countingSink) Open(worker.Completer) (worker.Handler, error) {
	n := s.opened
	s.opened++
	return countingHandler{s, n}, nil
}

type countingHandler struct {
	s *countingSink
	n int
}

func (h countingHandler) Handle(b worker.Batch) {
	for i := range b.Len() {
		h.s.seen(h.n, b.At(i))
	}
	b.Resolve(b.Len(), worker.OK)
}
func (countingHandler) Drain()       {}
func (countingHandler) Close() error { return nil }

// TestSkippedHasNoMetadata: the ack of a skipped message has its number and code; other
// placeholders are empty.
func TestSkippedHasNoMetadata(t *testing.T) {
	s := newTestServer(t)
	cfg := testConfig(t, "ws://"+s.ln.Addr().String(), accept)
	cfg.MaxMessage, cfg.ID = 4, "bytes:0:1"
	setFlag(&cfg, "ack-template", "{n}/{code}/{meta:kind}/{id}")
	r := start(t, cfg)
	conn := s.accept()
	upgrade(t, conn)
	for _, text := range []string{"long!", "ok"} {
		if _, err := conn.Write(append([]byte{0x81, byte(len(text))}, text...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"1/3//", "2/0/text/o"} {
		frame := make([]byte, 6+len(want))
		if _, err := io.ReadFull(conn, frame); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			frame[6+i] ^= frame[2+i%4] // RFC 6455, section 5.3
		}
		if got := string(frame[6:]); got != want {
			t.Errorf("ack %q, want %q", got, want)
		}
	}
	r.g.Abort()
	r.cancel()
	<-r.done
}
