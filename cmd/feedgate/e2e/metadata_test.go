package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRetriesHaveTheOutput: a child gets the output of --output at every try. A dead letter is the original
// message, with its ID.
func TestRetriesHaveTheOutput(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	kids, dead := newChildren(t), filepath.Join(t.TempDir(), "dead")
	p := run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=1", "--output={meta:attempts} {id} {data}", "--retries=1",
		"--retry-min=5ms", "--dead-letter=file:"+dead+"?frame=json", kids.sink(t))
	c, _ := acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	c.message(1, 3, "one")
	c.command("FIN " + nsqID(1))
	c.message(2, 1, "code=3000")
	c.command("FIN " + nsqID(2))
	var got []string
	for _, d := range kids.deliveries(t) {
		got = append(got, d.message)
	}
	refused := "1 " + nsqID(2) + " code=3000"
	if want := []string{"3 " + nsqID(1) + " one", refused, refused}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the child got %q, want %q", got, want)
	}
	want := `{"seq":2,"id":"` + nsqID(2) + `","data":"code=3000"}` + "\n"
	if b, err := os.ReadFile(dead); err != nil || string(b) != want {
		t.Errorf("dead letters %q, %v, want %q", b, err, want)
	}
	p.signal(syscall.SIGTERM)
	c.command("CLS")
	c.frame(nsqResponse, "CLOSE_WAIT")
	c.leaves()
	p.exit(0)
}

// TestKeysMayBeMetadata: one child gets all messages with the same value.
func TestKeysMayBeMetadata(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	kids := newChildren(t)
	run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=3", "--dispatch=key", "--key=meta:attempts", kids.sink(t))
	c, _ := acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	var acks []string
	for n := range 90 {
		c.message(n, uint16(1+n%9), fmt.Sprint("attempt ", 1+n%9))
		acks = append(acks, "FIN "+nsqID(n))
	}
	c.commands(acks...)
	pids, children := map[string]int{}, map[int]bool{}
	for _, d := range kids.deliveries(t) {
		if pid := pids[d.message]; pid != 0 && pid != d.pid {
			t.Fatalf("children %d and %d got %q", pid, d.pid, d.message)
		}
		pids[d.message] = d.pid
		children[d.pid] = true
	}
	if len(pids) != 9 || len(children) < 2 {
		t.Errorf("%d keys with %d children", len(pids), len(children))
	}
}

// TestIDsInAcks: {id} is the value of --id; a JSON string stays escaped, so it cannot end an ack.
// {meta:kind} is the type of a WebSocket message.
func TestIDsInAcks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, template, messages, want string }{
		"field":       {"field:1:,", `ok {id}\n`, "a,1\nb,2\n", "ok a\nok b\n"},
		"json":        {"json:id", `ok {id}\n`, `{"id":"a\nok b"}` + "\n", `ok a\nok b` + "\n"},
		"not chosen":  {"", `ok {id}\n`, "a,1\n", "ok \n"},
		"not present": {"json:id", `{n} {id}\n`, "plain\n{}\n", "1 \n2 \n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame=line", "--ack-template="+c.template, "--ack=ordered", "--id="+c.id, "--exit-on-close")
			conn := s.accept()
			conn.send([]byte(c.messages))
			if got := conn.rest(); got != c.want {
				t.Errorf("the gateway sent %q, want %q", got, c.want)
			}
			p.exit(0)
		})
	}
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--ack-template={n} {meta:kind}", "--exit-on-close",
		"--assemble=json:id,end,data")
	conn := acceptWS(t, ln, "")
	conn.send(wsFinal|wsBinary, `{"id":1,"end":false,"data":"a"}`)
	conn.send(wsFinal|wsText, `{"id":1,"end":true,"data":"b"}`)
	conn.expect(wsText, "2 text")
	conn.send(wsFinal|wsBinary, `{"id":2,"end":true,"data":"b"}`)
	conn.expect(wsBinary, "3 binary")
	conn.send(wsFinal|wsClose, closeCode(1000))
	conn.closed()
	conn.hangUp()
	p.exit(0)
}

// TestIDsInFiles: without --id, the ID of an FG/1 message is its session and number, or empty
// without a session.
func TestIDsInFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		welcome, flag string
		want          string
	}{
		"session":    {`{"session":"s\"\u2028"}`, "", `{"seq":1,"id":"s\"\u2028-1","data":"k=v"}`},
		"no session": {`{}`, "", `{"seq":1,"id":"","data":"k=v"}`},
		"chosen":     {`{"session":"s"}`, "--id=field:2:=", `{"seq":1,"id":"v","data":"k=v"}`},
		"metadata":   {`{"session":"s"}`, "--id=meta:session", `{"seq":1,"id":"s","data":"k=v"}`},
		"output":     {`{"session":"s"}`, `--output={{"k":"{field:2:=}"}`, `{"seq":1,"id":"s-1","data":"{\"k\":\"v\"}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			args := []string{"--exit-on-close", "--workers=1", sink.flag() + "?frame=json"}
			if c.flag != "" {
				args = append(args, c.flag)
			}
			p, _, conn := connectFG(t, c.welcome, args...)
			conn.send(data(1, "k=v"))
			conn.acked(1)
			conn.finish(0, 0)
			p.exit(0)
			sink.holds(t, c.want)
		})
	}
}

// TestOutputKeepsTheOrder: of many messages, with little memory, for sinks that complete messages later.
func TestOutputKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"file", "stdout", "exec"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			sink, kids := newFileSink(t), newChildren(t)
			flag := map[string]string{"file": sink.flag(), "stdout": "--sink=stdout:", "exec": kids.sink(t)}[target]
			p, _, c := connectFG(t, `{"session":"s"}`, "--exit-on-close", "--workers=1", "--output={id}:{data}:{data}",
				"--max-message=2KiB", "--memory=64KiB", flag)
			var frames []frame
			var want []string
			for seq := uint64(1); seq <= 3000; seq++ {
				message := fmt.Sprintf("message %d %s", seq, strings.Repeat("x", int(seq*7%1500)))
				frames = append(frames, data(seq, message))
				want = append(want, fmt.Sprintf("s-%d:%s:%s", seq, message, message))
			}
			go c.Write(encodeAll(frames))
			c.acks(len(frames))
			c.finish(0, 0)
			p.exit(0)
			var got []string
			switch target {
			case "file":
				got = strings.Split(strings.TrimSuffix(sink.text(t), "\n"), "\n")
			case "stdout":
				got = strings.Split(strings.TrimSuffix(p.stdout.String(), "\n"), "\n")
			case "exec":
				for _, d := range kids.deliveries(t) {
					got = append(got, d.message)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d messages, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("message %d is %.100q, want %.100q", i+1, got[i], want[i])
				}
			}
		})
	}
}

// TestUnknownMetadataIsAUsageError: the error lists the metadata of the protocol.
func TestUnknownMetadataIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nsq://a:1/t/c", "--dispatch=key", "--key=meta:topic"}, "--key: meta:topic: nsq:// has id, timestamp, attempts"},
		{[]string{"fg://a:1", "--output={meta:id}"}, "--output: meta:id: fg:// has session, seq"},
		{[]string{"wss://a:1", "--id=meta:session"}, "--id: meta:session: wss:// has kind"},
		{[]string{"ws://a:1", "--ack-template={meta:id}"}, "--ack-template: meta:id: ws:// has kind"},
		{[]string{"tcp://a:1", "--frame=line", "--output={meta:kind}"}, "--output: meta:kind: tcp:// has no metadata"},
		{[]string{"fg://a:1", "--output={code}"}, "--output: byte 1: placeholder {code}: only an ack has a code"},
		{[]string{"fg://a:1", "--id=x"}, `--id: selector "x": want bytes:OFFSET:LENGTH`},
		{[]string{"tcp://a:1", "--frame=line", "--ack-template={data}"}, "--ack-template: byte 1: placeholder {data}: only --output has the data"},
	} {
		got := command(t, nil, append([]string{"run", "--sink=discard:", "--admin="}, c.args...)...)
		if got.status != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: status %d, standard error %q, want %q", c.args, got.status, got.stderr, c.want)
		}
	}
}

// TestOutputFromEnvironmentAndFile: --output and --id can be set there as well.
func TestOutputFromEnvironmentAndFile(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]launch{
		"environment": {env: []string{"FEEDGATE_OUTPUT={id}:{data}", "FEEDGATE_ID=bytes:0:1"}},
		"file":        {args: []string{"--config=" + configFile(t, "output: '{id}:{data}'\nid: bytes:0:1\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			s := listenFG(t)
			l.args = append([]string{s.url(), "--workers=1", "--exit-on-close", sink.flag()}, l.args...)
			p := runWith(t, l)
			c := s.accept()
			c.welcome(1, "{}")
			c.send(data(1, "xyz"))
			c.acked(1)
			c.finish(0, 0)
			p.exit(0)
			sink.holds(t, "x:xyz")
		})
	}
}
