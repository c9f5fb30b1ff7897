package e2e

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestVolumeWithExtremeFlags: extreme values of the performance flags lose, duplicate and reorder nothing.
func TestVolumeWithExtremeFlags(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{
		"--flush-pack=1",
		"--flush-max=1 --flush-pack=1",
		"--flush-max=1",
		"--flush-pack=7 --workers=3",
		"--workers=1 --ring=2",
		"--workers=2 --ring=2",
		"--workers=8",
		"--in-flight=1 --workers=2",
		"--in-flight=5 --workers=4",
		"--max-message=64 --memory=256",
		"--max-message=4KiB --memory=16KiB --workers=1",
		"--dispatch=key --key=bytes:0:8 --workers=4",
		"--ack=ordered --workers=4",
		"--ack=ordered --workers=4 --in-flight=3",
		"--sink=spin:1us --workers=2",
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			s := listenFG(t)
			p := run(t, append([]string{s.url(), "--exit-on-close"}, strings.Fields(flags)...)...)
			c := s.accept()
			c.welcome(1, "{}")
			f := &flood{conn: c.Conn, in: bufio.NewReader(c.in), count: 20_000, size: 64,
				ordered: strings.Contains(flags, "ordered")}
			f.serve(t)
			p.exit(0)
		})
	}
}

// TestWriteTimeoutReconnects: if the server accepts no byte for that time.
func TestWriteTimeoutReconnects(t *testing.T) {
	t.Parallel()
	s := &fgServer{t: t, ln: listen(t, 4<<10)}
	p := run(t, s.url(), "--write-timeout=300ms", "--idle-timeout=0")
	c := s.accept()
	c.welcome(1, `{"session":"old"}`)
	if err := c.SetWriteDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	flood := &sender{done: make(chan error, 1)}
	go flood.run(c, "m")
	again := s.accept()
	flood.stop.Store(true)
	c.close()
	<-flood.done
	if _, h := again.welcome(1, `{"session":"new"}`); *h.Session != "old" {
		t.Errorf("HELLO session %q", *h.Session)
	}
	// Once the gateway has the new session, nothing of the old one is in flight.
	again.fence(1)
	p.stop(again)
	if !strings.Contains(p.stderr.String(), s.ln.Addr().String()) {
		t.Error("standard error does not name the server")
	}
}

// TestRunWorksWithFeed: in every protocol of the feed server.
func TestRunWorksWithFeed(t *testing.T) {
	t.Parallel()
	for protocol, args := range map[string][]string{
		"fg":     {"fg://{}"},
		"line":   {"tcp://{}", "--frame=line", `--ack-template=A{n}\n`},
		"length": {"tcp://{}", "--frame=length:offset=0,size=4,adjust=0,strip=4,order=big", `--ack-template=\x00\x00\x00\x0a{n:u64be}{code:u16be}`},
		"ws":     {"ws://{}/", "--ack-template=A{n}"},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			address := freshAddress()
			feed := start(t, launch{args: []string{"feed", "--listen=" + address, "--protocol=" + protocol,
				"--count=20000", "--size=64", "--json"}})
			args := append([]string{"--exit-on-close"}, args...)
			for i := range args {
				args[i] = strings.Replace(args[i], "{}", address, 1)
			}
			gateway := run(t, args...)
			gateway.exit(0)
			feed.exit(0)
			if out := feed.stdout.String(); !strings.HasPrefix(out, "{") || !strings.Contains(out, fmt.Sprint(20000)) {
				t.Errorf("the feed's result is %q", out)
			}
		})
	}
}
