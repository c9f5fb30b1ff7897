package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/tlstest"
)

// TestFeedTLS: the feed serves a client with the required certificate.
func TestFeedTLS(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	p, nc := feedProcess(t, "--count=1", "--tls-cert="+cert, "--tls-key="+key, "--tls-client-ca="+ca.File)
	config := ca.Client()
	config.Certificates = []tls.Certificate{ca.Issue(nil)}
	secure := tls.Client(nc, config)
	if text, err := io.ReadAll(secure); err != nil || len(text) != 65 {
		t.Fatalf("%q, %v", text, err)
	}
	fmt.Fprint(secure, "A1\n")
	secure.Close()
	if status := p.status(); status != cli.ExitOK {
		t.Errorf("status %d", status)
	}
	if r := p.feedReport(); r.Total.Acknowledged != 1 {
		t.Errorf("report %+v", r)
	}
}

// TestFeedWS: the feed sends a WebSocket client a message in two frames, with a PING between them.
func TestFeedWS(t *testing.T) {
	p, nc := feedProcess(t, "--protocol=ws", "--count=1", "--size=4", "--fragment=2")
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(nc)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v", res, err)
	}
	want := []byte{0x01, 2, 0, 0, 0x89, 7, 'b', 'e', 't', 'w', 'e', 'e', 'n', 0x80, 2, 0, 0}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	copy(want[2:4], got[2:])
	copy(want[15:], got[15:])
	if !bytes.Equal(got, want) {
		t.Errorf("frames are % x, not % x", got, want)
	}
	nc.Write([]byte{0x81, 0x82, 0, 0, 0, 0, 'A', '1'})
	if n, err := io.ReadFull(r, got[:4]); err != nil || !bytes.Equal(got[:n], []byte{0x88, 2, 3, 232}) {
		t.Errorf("Close is % x, %v", got[:n], err)
	}
	nc.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
	if status := p.status(); status != cli.ExitOK {
		t.Errorf("status %d", status)
	}
	if r := p.feedReport(); r.Protocol != "ws" || r.Total.Acknowledged != 1 {
		t.Errorf("report %+v", r)
	}
}
