package httpsink

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// counter counts the lines that it is sent.
type counter struct{ lines, requests atomic.Int64 }

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// ServeHTTP implements [http.Handler].
func (c *counter) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := r.Body.Read(buf[:])
		c.lines.Add(int64(bytes.Count(buf[:n], []byte("\n"))))
		if err != nil {
			break
		}
	}
	c.requests.Add(1)
}

// BenchmarkMessages: one worker, into a server of the same process that counts lines.
func BenchmarkMessages(b *testing.B) {
	for name, c := range map[string]struct {
		query string
		size  int
	}{
		"64": {"", 64}, "64/one-per-post": {"?batch=1", 64}, "64/length": {"?format=length", 64}, "1024": {"", 1024},
	} {
		b.Run(name, func(b *testing.B) {
			count := new(counter)
			s := httptest.NewServer(count)
			defer s.Close()
			out := sinktest.Open(b, Kind, s.URL+"/"+c.query, sink.Config{})
			handlertest.Benchmark(b, out, c.size)
			b.ReportMetric(float64(b.N)/float64(count.requests.Load()), "msgs/post")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
		})
	}
}

// BenchmarkOnePost: what a program does that posts each message, with the same client.
func BenchmarkOnePost(b *testing.B) {
	count := new(counter)
	s := httptest.NewServer(count)
	defer s.Close()
	client := http.Client{Transport: &http.Transport{}}
	body := bytes.Repeat([]byte("x"), 64)
	for b.Loop() {
		resp, err := client.Post(s.URL, "application/x-ndjson", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	client.CloseIdleConnections()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
}
