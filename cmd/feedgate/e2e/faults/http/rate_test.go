package http

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// counter counts the lines that it gets, and does nothing else.
type counter struct {
	lines   atomic.Int64
	buffers sync.Pool
}

// ServeHTTP implements [http.Handler].
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buffer, ok := c.buffers.Get().(*[64 << 10]byte)
	if !ok {
		buffer = new([64 << 10]byte)
	}
	defer c.buffers.Put(buffer)
	lines := 0
	for {
		n, err := r.Body.Read(buffer[:])
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	c.lines.Add(int64(lines))
}

// TestRate: batches are at least 20 times as fast as one POST per message with the same client. The log
// has the rates, in messages of 64 bytes per second, of a feed, a gateway with 2 workers and a server
// that counts lines, all on this machine.
func TestRate(t *testing.T) {
	rate := func(count int64, query string) float64 {
		feed, err := feedserver.New(feedserver.Config{Count: count, Size: 64, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := feed.Start(); err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		c := new(counter)
		web := httptest.NewServer(c)
		defer web.Close()
		p := testkit.Start(t, testkit.Launch{Args: []string{"fg://" + feed.Addr().String(), "--sink=" + web.URL + "/" + query, "--workers=2", "--exit-on-close"}})
		report, err := feed.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Exit(0)
		if n := c.lines.Load(); n != count || report.Total.Acknowledged != uint64(count) {
			t.Errorf("%d lines, %d acks, of %d", n, report.Total.Acknowledged, count)
		}
		return report.Total.MsgsPerS
	}
	many, one := rate(testkit.Form[int64](200_000, 5_000_000), ""), rate(testkit.Form[int64](5000, 50_000), "?batch=1")
	t.Logf("%.0f messages per second in batches, %.0f with one POST each: %.0f times", many, one, many/one)
	if many < 20*one {
		t.Error("batches are not 20 times as fast")
	}
}
