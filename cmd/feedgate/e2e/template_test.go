package e2e

import (
	"strings"
	"testing"
)

// TestAckTemplates: each renders the expected bytes.
func TestAckTemplates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ template, messages, want string }{
		"number":            {`A{n}\n`, "a\nb\nc\n", "A1\nA2\nA3\n"},
		"literal":           {`OK\n`, "a\nb\n", "OK\nOK\n"},
		"escapes":           {`\n\r\t\0\\\x41\xfF`, "a\n", "\n\r\t\x00\\A\xff"},
		"brace":             {`{{n}{n}`, "a\n", "{n}1"},
		"code":              {`{n}={code};`, "a\nb\n", "1=0;2=0;"},
		"n u64be":           {`{n:u64be}`, "a\nb\n", "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02"},
		"n u64le":           {`{n:u64le}`, "a\n", "\x01\x00\x00\x00\x00\x00\x00\x00"},
		"n u32be":           {`{n:u32be}`, "a\n", "\x00\x00\x00\x01"},
		"n u32le":           {`{n:u32le}`, "a\n", "\x01\x00\x00\x00"},
		"n u16be":           {`{n:u16be}`, "a\n", "\x00\x01"},
		"n u16le":           {`{n:u16le}`, "a\n", "\x01\x00"},
		"n u8":              {`{n:u8}`, "a\nb\n", "\x01\x02"},
		"code u16be":        {`{n:u16be}{code:u16be}`, "a\n", "\x00\x01\x00\x00"},
		"bytes":             {`[{bytes:1:3}]`, "abcdef\nghijkl\n", "[bcd][hij]"},
		"bytes beyond":      {`[{bytes:9:3}]`, "abc\n", "[]"},
		"field":             {`[{field:2:,}]`, "a,b,c\n,,\nq,r\n", "[b][][r]"},
		"first field":       {`[{field:1:,}]`, "a,b,c\nwhole\n", "[a][whole]"},
		"field beyond":      {`[{field:4:,}]`, "a,b,c\n", "[]"},
		"field of 2 bytes":  {`[{field:2:||}]`, "a|b||c|d||e\n", "[c|d]"},
		"json string":       {`[{json:id}]`, `{"id":"x-1","b":2}` + "\n", "[x-1]"},
		"json escapes":      {`[{json:id}]`, `{"id":"a\"\\\/\n\u00e9\ud83d\ude00"}` + "\n", `[a\"\\\/\n\u00e9\ud83d\ude00]`},
		"json decoded":      {`[{json:id:text}]`, `{"id":"a\"\\\/\n\u00e9\ud83d\ude00"}` + "\n", "[a\"\\/\né😀]"},
		"json pointer":      {`[{json:/a/1/b~1c}{json:/a/2}]`, `{"a":[0,{"b/c":"x"}]}` + "\n", "[x]"},
		"json behind a BOM": {`[{json:id}]`, "\ufeff" + `{"id":7}` + "\n", "[7]"},
		"json number":       {`[{json:id}]`, `{"b":{"id":1},"id":42.50}` + "\n", "[42.50]"},
		"json literals":     {`[{json:t}{json:f}]`, `{"t":true,"f":false}` + "\n", "[truefalse]"},
		"json at the top":   {`[{json:id}]`, `{"in":{"id":"no"},"list":[{"id":"no"}]}` + "\n", "[]"},
		"json absent":       {`[{json:id}]`, `{"ID":"no"}` + "\n", "[]"},
		"not json":          {`[{json:id}]`, "plain\n\n{\n", "[][][]"},
		"combination":       {`{n} {code} {field:1: } {bytes:0:1}{{}` + `\n`, "hi there\n", "1 0 hi h{}\n"},
		"ignored prefix":    {`A{n}\n`, "#hb\na\n#\nb\n", "A1\nA2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame=line", "--ack-template="+c.template, "--ack=ordered", "--ignore-prefix=#", "--exit-on-close")
			conn := s.accept()
			conn.send([]byte(c.messages))
			if got := conn.rest(); got != c.want {
				t.Errorf("the gateway sent %q, want %q", got, c.want)
			}
			p.exit(0)
		})
	}
}

// TestBinaryNumbersWrap: the number is truncated to its width.
func TestBinaryNumbersWrap(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", "--ack-template={n:u8}", "--ack=ordered", "--exit-on-close")
	c := s.accept()
	c.send([]byte(strings.Repeat("m\n", 600)))
	got := c.rest()
	for i := range got {
		if got[i] != byte(i+1) {
			t.Fatalf("ack %d is %d", i+1, got[i])
		}
	}
	if len(got) != 600 {
		t.Errorf("%d acks", len(got))
	}
	p.exit(0)
}

// TestNumbersRestartOnEachConnection: arrival numbers, that is.
func TestNumbersRestartOnEachConnection(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, "--ack=ordered")
	for range 2 {
		c := s.accept()
		c.send([]byte("a\nb\n"))
		if got := c.rest(); got != "A1\nA2\n" {
			t.Errorf("the gateway sent %q", got)
		}
	}
	c := s.accept()
	p.stop()
	c.close()
}

// TestRefusalsNeedCode: a template with {code} shows a refusal. Without {code} a refused message
// gets no ack, and the refusal is logged.
func TestRefusalsNeedCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ template, want string }{
		"decimal":      {`{n}:{code}\n`, "1:0\n2:1234\n3:0\n"},
		"u16be":        {`{code:u16be}`, "\x00\x00\x04\xd2\x00\x00"},
		"u16le":        {`{code:u16le}`, "\x00\x00\xd2\x04\x00\x00"},
		"u8 wraps":     {`{code:u8}`, "\x00\xd2\x00"},
		"without code": {`A{n}\n`, "A1\nA3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kids := newChildren(t)
			s := listenTCP(t)
			p := run(t, s.url(), "--frame=line", "--ack-template="+c.template, "--ack=ordered", "--exit-on-close", kids.sink(t))
			conn := s.accept()
			conn.send([]byte("fine\ncode=1234\nfine\n"))
			if got := conn.rest(); got != c.want {
				t.Errorf("the gateway sent %q, want %q", got, c.want)
			}
			p.exit(0)
			if name == "without code" && !strings.Contains(p.stderr.String(), "refused") {
				t.Error("the refusal is not logged")
			}
		})
	}
}

func TestHelloIsSentOnEachConnection(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--hello=LOGIN {token}\x00\r\n`, "--token-file="+tokenFile(t, "s3cret\n", 0o600))
	want := "LOGIN s3cret\x00\r\n"
	for range 2 {
		c := s.accept()
		c.expect(want)
		if rest := c.rest(); rest != "" {
			t.Errorf("after the hello: %q", rest)
		}
	}
	c := s.accept()
	p.stop()
	c.close()
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Error("the log has the secret")
	}
}

func TestHeartbeatTemplateIsSentPeriodically(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--heartbeat-template=HB\n`, "--heartbeat=50ms", "--exit-on-close")
	c := s.accept()
	c.expect("HB\nHB\nHB\n")
	if strings.Trim(c.rest(), "HB\n") != "" {
		t.Error("not only heartbeats")
	}
	p.exit(0)
}

// TestIgnoredMessages: they reach no sink and have no number and no ack.
func TestIgnoredMessages(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, "--ack=ordered", "--workers=1", `--ignore-prefix=PING`,
		"--exit-on-close", sink.flag())
	c := s.accept()
	c.send([]byte("PING\na\nPING 2\nPIN\nb\nPING"))
	c.send([]byte("\nxPING\n"))
	if got := c.rest(); got != "A1\nA2\nA3\nA4\n" {
		t.Errorf("the gateway sent %q", got)
	}
	p.exit(0)
	sink.holds(t, "a", "PIN", "b", "xPING")
}
