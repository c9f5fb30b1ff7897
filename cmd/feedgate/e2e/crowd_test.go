package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestOpenAdminConnectionsBlockNothing: open connections to the admin address neither use up the
// descriptors that a reconnect needs nor prevent other requests.
func TestOpenAdminConnectionsBlockNothing(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url()}, through: []string{"sh", "-c", `ulimit -n 256; exec "$0" "$@"`}})
	c := s.accept()
	c.welcome(1, `{"session":"held"}`)
	const request = "GET /ping HTTP/1.1\r\nHost: x\r\n"
	for i := range 400 {
		conn, err := net.Dial("tcp", p.admin)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		switch i % 8 {
		case 0: // nothing
		case 1: // half a request
			_, err = io.WriteString(conn, request)
		default: // kept alive after an answer
			if _, err = io.WriteString(conn, request+"\r\n"); err == nil {
				var answer *http.Response
				if answer, err = http.ReadResponse(bufio.NewReader(conn), nil); err == nil && answer.StatusCode != http.StatusOK {
					t.Fatalf("connection %d: status %d", i, answer.StatusCode)
				}
			}
		}
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	c.close()
	c = s.accept()
	c.welcome(1, `{"session":"held"}`)
	c.send(data(1, "a"))
	c.acked(1)
	answer, err := http.Get("http://" + p.admin + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", answer.StatusCode, err)
	}
	p.stop(c)
}
