package kafka

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"feedgate/gateway/tlstest"
	"feedgate/worker/sink"
)

// accept listens, and answers each connection with the function.
func accept(t *testing.T, answer func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
		}
	}()
	return l.Addr().String()
}

// TestCounterpart: what is at the other end, if it is not the broker that the URL describes, is
// explained with what to look at. It may be a broker that is starting, so the gateway tries again.
func TestCounterpart(t *testing.T) {
	plain := startCluster(t, 1).hosts()
	withLogin := startCluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "s3cret")).hosts()
	withTLS := startCluster(t, 1, kfake.TLS(tlstest.NewAuthority(t).Server())).hosts()
	silent := accept(t, func(conn net.Conn) {
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}()
	})
	web := accept(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1000))
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_ = conn.Close()
	})
	for name, c := range map[string]struct {
		url  string
		cfg  sink.Config
		want string
	}{
		"TLS, and the URL without":           {url: "kafka://" + withTLS + "/orders", want: "whether it wants TLS (kafka+tls://)"},
		"no TLS, and the URL with":           {url: "kafka+tls://" + plain + "/orders", want: "a port without TLS does not answer, see the URL's scheme"},
		"nothing is answered":                {url: "kafka://" + silent + "/orders", want: "no answer within --connect-timeout, 2s"},
		"nothing is answered, TLS":           {url: "kafka+tls://" + silent + "/orders", want: "no TLS within --connect-timeout"},
		"a web server":                       {url: "kafka://" + web + "/orders", want: "is your broker port correct?"},
		"a login, and the URL without":       {url: "kafka://" + withLogin + "/orders", want: "or a login (sasl= in the URL)"},
		"no login, and the URL with":         {url: "kafka://" + plain + "/orders?sasl=plain", cfg: login("me", "s3cret"), want: "because of the login; see sasl= in the URL"},
		"a login that closes the connection": {url: "kafka://" + withLogin + "/orders?sasl=plain", cfg: login("me", "other"), want: "--sink-user and --sink-password-file"},
		"no such host":                       {url: "kafka://nowhere.invalid/orders", want: "see the hosts and ports in the URL"},
		"nobody listens":                     {url: "kafka://127.0.0.1:1/orders", want: "connection refused; see the hosts and ports"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.ConnectTimeout = 2 * time.Second
			out := open(t, c.url, c.cfg)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := out.Start(ctx, 1); err != nil {
				t.Error(err)
			}
			if why := out.Ready(); why == nil || !strings.Contains(why.Error(), c.want) || strings.Contains(why.Error(), "\n") {
				t.Errorf("not ready because of %v, want %q", why, c.want)
			}
		})
	}
}
