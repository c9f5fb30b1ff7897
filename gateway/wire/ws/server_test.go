package ws

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// TestRealServer runs a connection against net/http: the handshake, messages and acks, a ping,
// Close both ways.
func TestRealServer(t *testing.T) {
	const messages = 1000
	served := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served <- serve(t, w, r, messages)
	}))
	defer server.Close()
	host := server.Listener.Addr().String()
	p := mustNew(t, Config{Path: "/feed?a=b", Hello: "HELLO {token}", AckTemplate: "A{n}", Headers: []string{"X-Feed: prices"}})
	sock, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	conn := p.NewConn()
	got, err := ackAll(sock, p, conn, wire.Hello{Host: host, Token: []byte("s3cret")})
	if err != nil || got != messages {
		t.Fatalf("%d messages, %v", got, err)
	}
	if _, err := sock.Write(conn.AppendClose(nil, wire.CloseOK)); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatalf("the server: %v", err)
	}
}

// ackAll acks messages until the server sends Close.
func ackAll(sock net.Conn, p *wire.Codec, conn wire.Conn, r wire.Hello) (msgs int, err error) {
	out := conn.AppendHello(nil, r)
	in := wire.Input{Msgs: make([]wire.Msg, 0, 64)}
	buf := make([]byte, 0, 1<<20)
	for {
		for more := true; more; {
			in.Msgs, in.Out, in.Event = in.Msgs[:0], in.Out[:0], wire.Event{}
			if err := conn.Decode(buf, &in); err != nil {
				return msgs, err
			}
			out = append(out, in.Out...)
			for _, m := range in.Msgs {
				msgs++
				out = p.Render(out, worker.Message{Seq: m.Seq, Tag: m.Tag, Data: buf[m.Off : m.Off+m.Len]}, worker.OK)
			}
			more = len(in.Msgs) == cap(in.Msgs) || in.Event.Kind == wire.EventReady
		}
		if _, err := sock.Write(out); err != nil {
			return msgs, err
		}
		out = out[:0]
		if in.Event.Kind == wire.EventClose {
			return msgs, nil
		}
		n, err := sock.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return msgs, err
		}
		buf = buf[:len(buf)+n]
	}
}

// serve is a feed: the answer and the messages in one write, then Close. It reads
// the gateway's acks, PONG and Close.
func serve(t *testing.T, w http.ResponseWriter, r *http.Request, messages int) error {
	if r.Method != "GET" || r.URL.Path != "/feed" || r.URL.RawQuery != "a=b" || r.Header.Get("X-Feed") != "prices" {
		return fmt.Errorf("request %s %s", r.Method, r.URL)
	}
	sock, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer sock.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptFor(r.Header.Get("Sec-WebSocket-Key")))
	rw.Write(ping("are you there"))
	for i := range messages {
		rw.Write(text(fmt.Sprintf("price %d", i)))
	}
	rw.Write(closing(code(1000)))
	if err := rw.Flush(); err != nil {
		return err
	}
	sent, err := readToClose(rw.Reader)
	if err != nil {
		return err
	}
	count := map[opcode]int{}
	for _, f := range clientFrames(t, sent) {
		want := fmt.Sprintf("A%d", count[opText])
		switch {
		case f.op == opText && count[opText] == 0:
			want = "HELLO s3cret"
		case f.op == opPong:
			want = "are you there"
		case f.op == opClose:
			want = code(1000)
		}
		if f.payload != want {
			return fmt.Errorf("opcode %#x with %q, want %q", byte(f.op), f.payload, want)
		}
		count[f.op]++
	}
	if count[opText] != messages+1 || count[opPong] != 1 || count[opClose] != 1 {
		return fmt.Errorf("frames by opcode: %v", count)
	}
	return nil
}

// readToClose reads short frames up to a Close with a code.
func readToClose(r *bufio.Reader) (b []byte, err error) {
	for {
		head := make([]byte, shortHead)
		if _, err := io.ReadFull(r, head); err != nil {
			return b, err
		}
		if head[1]&0x7f > maxControl {
			return b, errors.New("a long frame")
		}
		payload := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(r, payload); err != nil {
			return b, err
		}
		b = append(append(b, head...), payload...)
		if head[0] == finBit|byte(opClose) {
			return b, nil
		}
	}
}
