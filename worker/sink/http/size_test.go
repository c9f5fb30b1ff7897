package httpsink

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// sizes starts a server that answers 413 to bodies of several messages longer than limit. It returns its URL, and
// the sizes of all bodies; do not read them while requests are in progress.
func sizes(t *testing.T, limit int) (url string, all *[]int) {
	t.Helper()
	all = new([]int)
	s := serve(t, func(_ http.ResponseWriter, p post) int {
		size := 0
		for _, m := range p.messages {
			size += len(m) + 1
		}
		if *all = append(*all, size); size > limit && len(p.messages) > 1 {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusOK
	})
	return s.URL, all
}

// TestBodiesFitAMebibyte: that is what servers take by default.
func TestBodiesFitAMebibyte(t *testing.T) {
	for name, f := range formats {
		for _, batch := range []int{1, 1000, 100_000} {
			most := f.maxBytes(batch)
			parts := slices.Repeat([][]byte{make([]byte, most/batch)}, batch)
			if size := newContent(f, parts).size; size > maxBody {
				t.Errorf("%s, %d messages of %d bytes: a body of %d bytes", name, batch, most/batch, size)
			}
		}
	}
	url, all := sizes(t, maxBody)
	g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{}), 1, 4096)
	for range 1000 {
		g.Send(0, []byte(strings.Repeat("x", 4096)))
	}
	g.Wait(1000)
	g.Stop()
	for _, size := range *all {
		if size > maxBody {
			t.Errorf("a body of %d bytes", size)
		}
	}
}

// TestLearnsTheLimit: after some 413s, bodies are as small as the server wants them.
func TestLearnsTheLimit(t *testing.T) {
	const limit = 100 << 10
	url, all := sizes(t, limit)
	g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{}), 1, 2000)
	for range 4000 {
		g.Send(0, []byte(strings.Repeat("x", 1023)))
	}
	g.Wait(4000)
	g.Stop()
	refused := 0
	for _, size := range *all {
		if size > limit {
			refused++
		}
	}
	if refused == 0 || refused > 10 || g.Refused > 0 {
		t.Errorf("%d of %d bodies were too large, %d messages refused", refused, len(*all), g.Refused)
	}
}
