package mutate

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/tlstest"
)

// subject is a scheme with flags.
type subject struct {
	name   string
	scheme string
	path   string
	dialect
	share int // see count
	args  string
}

const (
	textAck   = ` --hello=HELLO\n --ack-template={code}\x20{n}\n`
	binaryAck = ` --hello=HELLO\n --ack-template={n:u64be}{code:u16be}`
	wsAck     = ` --ack-template={code}\x20{n}`
)

// subjects are the schemes of cmd/feedgate/schemes.go, with flags that exercise every decoder.
// Subjects over TLS make fewer connections, because the handshake takes most of the time.
var subjects = []subject{
	{"fg", "fg", "", fg{}, 1, "--output={id}{meta:session}{data}"},
	{"fg-ordered", "fg", "", fg{}, 3, "--ack=ordered --dispatch=key --key=json:user"},
	{"fg-range", "fg", "", fg{}, 3, "--ack=range --ack-interval=1ms"},
	{"fg-state", "fg", "", fg{}, 15, "--state=STATE --sink=file:FILE?frame=json"},
	{"fg-tls", "fg+tls", "", fg{}, 10, ""},
	{"tcp-line", "tcp", "", lines("\n"), 1, "--frame=line --ignore-prefix=IGNORED" + textAck},
	{"tcp-json", "tcp", "", lines("\n"), 3, `--frame=line:skip-empty --dispatch=key --key=json:/user --id=json:id --output={id}{json:data:text} --hello=HELLO\n --ack-template={json:id}{field:2:,}{code}\x20{n}\n`},
	{"tcp-delim", "tcp", "", lines("\r\n\x03"), 3, "--frame=delim:0d0a03" + textAck},
	{"tcp-length-u8", "tcp", "", lengths(0, 1, 0, false), 3, "--frame=length:size=1,strip=1" + binaryAck},
	{"tcp-length-u16le", "tcp", "", lengths(2, 2, -4, true), 3, "--frame=length:offset=2,size=2,adjust=-4,strip=0,order=little" + binaryAck},
	{"tcp-length-u24", "tcp", "", lengths(1, 3, 0, false), 3, "--frame=length:offset=1,size=3" + binaryAck},
	{"tcp-length-u32", "tcp", "", lengths(0, 4, 0, false), 1, "--frame=length:size=4" + binaryAck},
	{"tcp-length-u64le", "tcp", "", lengths(0, 8, -8, true), 3, "--frame=length:size=8,adjust=-8,strip=8,order=little" + binaryAck},
	{"tcp-varint", "tcp", "", varints, 3, "--frame=varint" + textAck},
	{"tcp-assemble", "tcp", "", requests, 3, "--frame=line --assemble=json:id,done,data" + textAck},
	{"tcp-tls", "tcp+tls", "", lines("\n"), 10, "--frame=line" + textAck},
	{"ws", "ws", "/feed?x=1", ws{}, 1, "--output={meta:kind}{data}" + wsAck},
	{"ws-assemble", "ws", "/", ws{requests: true}, 3, "--assemble=json:id,done,data" + wsAck},
	{"wss", "wss", "", ws{}, 10, strings.TrimSpace(wsAck)},
	{"nsq", "nsq", "/topic/channel", nsq{}, 1, "--output={id}{meta:attempts}{meta:timestamp}{data}"},
	{"nsq-tls", "nsq+tls", "/topic/channel", nsq{secure: true}, 10, ""},
}

// gateways is the number of gateways of a process.
const gateways = 4

// TestSchemes: a server sends mutated bytes on every connection, for every scheme.
func TestSchemes(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.test(t)
		})
	}
}

func (s *subject) test(t *testing.T) {
	total := count(s.share)
	server := newServer(t, s.dialect, gateways, total)
	args := s.flags(t, server)
	server.start()
	begun := time.Now()
	p := testkit.Start(t, testkit.Launch{Args: args, Admin: true, Env: []string{"GORACE=halt_on_error=1"}})
	p.Log.Forbid(marker, "panicked")
	for range gateways {
		over(t, p, "first", server.first)
	}
	start := rest(t, p)
	early, late := watch(t, p, int64(total), server.made.Load)
	for range gateways {
		over(t, p, "last", server.last)
	}
	took := time.Since(begun)
	log := p.Log.Bytes()
	server.stop()
	end := sampleWithin(t, p, start.fds+2, start.goroutines+4)
	p.Stop()
	t.Logf("%d connections in %.1f s, %d of them valid; %d acks; %d bytes of log", total, took.Seconds(), server.untouched.Load(), server.acks.Load(), log)
	t.Logf("at first: %v; of the second tenth: %v; of the last: %v; at the end: %v", start, early, late, end)
	if total >= comparable {
		flat(t, early, late)
	}
	brief(t, log, total, took)
}

// flags returns the command line, with STATE and FILE replaced by paths.
func (s *subject) flags(t *testing.T, server *server) []string {
	dir := t.TempDir()
	files := strings.NewReplacer("STATE", filepath.Join(dir, "state"), "FILE", filepath.Join(dir, "file"))
	args := strings.Fields(files.Replace(s.args))
	args = append([]string{"--reconnect-min=1ms", "--reconnect-max=1ms", "--connect-timeout=20s", "--workers=2", "--memory=4MiB", "--max-message=16KiB",
		"--drain-timeout=30s"}, args...)
	if strings.Contains(s.scheme, "tls") || s.scheme == "wss" {
		authority := tlstest.NewAuthority(t)
		server.secure, server.upgrade = authority.Server(), s.scheme == "nsq+tls"
		args = append(args, "--tls-ca="+authority.File)
	}
	for _, l := range server.listeners {
		args = append(args, s.scheme+"://"+l.Addr().String()+s.path)
	}
	return args
}

// over waits for the end of a connection with a valid conversation.
func over(t *testing.T, p *testkit.Process, which string, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("on the %s connection of a gateway, whose conversation is valid: %v", which, err)
		}
	case <-time.After(testkit.Patience):
		t.Fatalf("no %s connection; the process runs: %t", which, p.Running())
	}
}

// brief checks that the log is short.
func brief(t *testing.T, bytes, connections int, took time.Duration) {
	t.Helper()
	// One line per kind, second and gateway, and there are a few dozen kinds.
	if most := 64<<10 + 20*connections + gateways*int(took.Seconds())*8<<10; bytes > most {
		t.Errorf("%d bytes of log, more than %d", bytes, most)
	}
}
