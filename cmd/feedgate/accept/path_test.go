package accept

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/bench/rig/netpath"
	"feedgate/gateway/tlstest"
)

// pathIdle is --idle-timeout on a path that is cut.
const pathIdle = 3 * time.Second

// TestDeadPath: a path on which packets get lost from one moment on is noticed by
// --idle-timeout, also while the gateway does not read. --write-timeout is its default, 5m.
func TestDeadPath(t *testing.T) {
	t.Parallel()
	quiet, tls := []string{"--rate=0.01"}, true
	for _, c := range []struct {
		name   string
		sink   string
		feed   []string
		tls    bool
		oneWay bool // only what the gateway sends is lost
	}{
		{name: "loaded", sink: "spin:20us"},
		{name: "loaded, TLS", sink: "spin:20us", tls: tls},
		{name: "idle", sink: "spin:20us", feed: quiet},
		{name: "idle, TLS", sink: "spin:20us", feed: quiet, tls: tls},
		{name: "workers are behind", sink: "spin:50ms"},
		{name: "one way", sink: "spin:20us", oneWay: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := netpath.New(t)
			p := overPath(t, path, c.tls, c.feed, "--workers=2", "--sink="+c.sink, "--idle-timeout="+pathIdle.String())
			p.waitLog("logged in")
			if c.feed == nil {
				eventually(t, "traffic", func() bool { return path.Packets() > 100 })
			}
			time.Sleep(time.Second) // the rings of workers that are behind fill
			if c.oneWay {
				noticed(t, p, func() { path.CutFrom(0) })
			} else {
				noticed(t, p, path.Cut)
			}
		})
	}
}

// TestDeadPathBehindAClosedWindow: a server reads no acks, and its TCP answers the probes of its
// closed window, until the path is cut.
func TestDeadPathBehindAClosedWindow(t *testing.T) {
	t.Parallel()
	path := netpath.New(t)
	s := &fgServer{t: t}
	path.Ends[1].Do(func() { s.ln = listenAt(t, net.JoinHostPort(path.Ends[1].Addr.String(), "0"), 4<<10) })
	var p *process
	path.Ends[0].Do(func() {
		p = run(t, s.url(), "--admin=", "--in-flight=1024", "--idle-timeout="+pathIdle.String())
	})
	c := s.accept()
	c.welcome(1, "{}")
	sendMany(t, c, 5000)
	time.Sleep(2 * pathIdle) // a live peer is kept
	noticed(t, p, path.Cut)
}

// noticed cuts the path of a connection, and waits until the gateway has noticed.
func noticed(t *testing.T, p *process, cut func()) {
	t.Helper()
	if strings.Contains(p.stderr.String(), "connection lost") {
		t.Fatal("the connection is lost before the path is cut")
	}
	began := time.Now()
	cut()
	p.waitLog("connection lost", "for --idle-timeout "+pathIdle.String())
	t.Logf("noticed %.2f s after the cut, with --idle-timeout %v", time.Since(began).Seconds(), pathIdle)
}

// overPath runs a feed of 64-byte messages at one end of a path, and a gateway at the other.
func overPath(t *testing.T, path *netpath.Path, secure bool, feedArgs []string, args ...string) *process {
	t.Helper()
	address, scheme := net.JoinHostPort(path.Ends[1].Addr.String(), "7000"), "fg://"
	if secure {
		ca := tlstest.NewAuthority(t)
		cert, key := ca.Files(ca.Issue(tlstest.For("feed.test")))
		feedArgs = append(slices.Clone(feedArgs), "--tls-cert="+cert, "--tls-key="+key)
		args, scheme = append(args, "--tls-ca="+ca.File, "--tls-server-name=feed.test"), "fg+tls://"
	}
	var feed, gateway *process
	path.Ends[1].Do(func() {
		feed = start(t, launch{args: append([]string{"feed", "--listen=" + address, "--heartbeat=500ms"}, feedArgs...)})
	})
	feed.waitLog("listening on")
	path.Ends[0].Do(func() { gateway = run(t, append([]string{scheme + address, "--admin="}, args...)...) })
	return gateway
}

// TestPeerThatTakesNoAcks: a server that neither reads nor sends, whose TCP answers the probes of
// its closed window, is kept for far longer than --idle-timeout, though probes, as they back off,
// are further apart than that.
func TestPeerThatTakesNoAcks(t *testing.T) {
	t.Parallel()
	const idle, stall, count = time.Second, 14 * time.Second, 5000
	serve := func(t *testing.T, c *fgConn) {
		c.welcome(1, "{}")
		sendMany(t, c, count)
		// The time is what is tested: another connection, or the end of this one, is a failure.
		time.Sleep(stall)
		c.send(bye(0))
		checkOnce(t, drainAcks(t, c), count)
		c.close()
	}
	args := []string{"--exit-on-close", "--in-flight=1024", "--idle-timeout=" + idle.String(), "--heartbeat=100ms"}
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		s := &fgServer{t: t, ln: listen(t, 4<<10)}
		p := run(t, append(args, s.url())...)
		serve(t, s.accept())
		p.exit(0)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		ca, ln := tlstest.NewAuthority(t), listen(t, 4<<10)
		p := run(t, append(args, "fg+tls://"+ln.Addr().String(), "--tls-ca="+ca.File)...)
		conn, raw, err := acceptTLS(t, ln, ca.Server())
		if err != nil {
			t.Fatal(err)
		}
		serve(t, overTLS(t, conn, raw))
		p.exit(0)
	})
}
