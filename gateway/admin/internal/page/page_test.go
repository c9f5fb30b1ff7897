package page

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"feedgate/gateway/admin/view"
)

// stats is an answer of /stats with one upstream.
func stats(label string) map[string]any {
	return map[string]any{
		"not_ready": []string{"upstream " + label + " is odd", "sink: " + label},
		"upstreams": map[string]any{label: map[string]any{
			"feedgate_connected": uint64(1), "waiting_for": "the workers: " + label, "feedgate_waiting_for": map[string]any{"workers": uint64(1)},
			"feedgate_protocol_errors_total": map[string]any{label: uint64(3)}, "feedgate_acks_total": map[string]any{label: uint64(3)},
			"feedgate_ring_depth": map[string]any{"0": map[string]any{"in": uint64(4), "out": uint64(0)}}, "feedgate_ring_limit": uint64(8),
			"feedgate_stopped_seconds_total": map[string]any{label: 1.5},
		}},
		"sink":    map[string]any{"label": label},
		"process": map[string]any{"feedgate_build_info": map[string]any{label: map[string]any{}}},
	}
}

// serve serves a page and its part as the admin address does.
func serve(t *testing.T, of func() map[string]any) *httptest.Server {
	t.Helper()
	p := New(of)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.ServePage)
	mux.HandleFunc("GET /live", p.ServeLive)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestHostileLabelsAreText(t *testing.T) {
	evil := `ws://a/"><script>alert(1)</script><img src=x onerror='alert(2)'>{{.}}`
	server := serve(t, func() map[string]any { return stats(evil) })
	for _, path := range []string{"/", "/live"} {
		_, body := get(t, server.URL+path)
		if n := strings.Count(body, "<script>"); n > 1 || path == "/live" && n > 0 {
			t.Errorf("%s: %d scripts", path, n)
		}
		for _, text := range []string{"<img", "onerror='", "alert(1)</script>"} {
			if strings.Contains(body, text) {
				t.Errorf("%s has %s", path, text)
			}
		}
		if n := strings.Count(body, "ws://a/&#34;&gt;&lt;script&gt;"); n < 6 {
			t.Errorf("%s: the label is there %d times", path, n)
		}
	}
}

// TestThePolicyAllowsWhatIsServed: the hashes of the policy are those of the style and the script, byte
// for byte.
func TestThePolicyAllowsWhatIsServed(t *testing.T) {
	server := serve(t, func() map[string]any { return stats("fg://a:1") })
	response, body := get(t, server.URL+"/")
	policy := response.Header.Get("Content-Security-Policy")
	for _, element := range []string{"style", "script"} {
		_, content, _ := strings.Cut(body, "<"+element+">")
		content, _, _ = strings.Cut(content, "</"+element+">")
		if want := element + "-src 'sha256-" + digest(content) + "'"; len(content) < 1000 || !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
	live, body := get(t, server.URL+"/live")
	if live.Header.Get("Feedgate-Page") != build || !strings.HasPrefix(strings.TrimSpace(body), "<section") {
		t.Errorf("/live of the page %q: %.100s", live.Header.Get("Feedgate-Page"), body)
	}
}

// TestSamplesAreSharedAndOnRequest: many viewers at once cause two samples, and nobody causes none.
func TestSamplesAreSharedAndOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := 0 // under the sampler's mutex
		p := New(func() map[string]any {
			samples++
			return stats("fg://a:1")
		})
		look := func() string {
			s, err := p.sampler.sample(t.Context())
			if err != nil || len(s.live) == 0 {
				t.Errorf("%v: %+v", err, s.view)
			}
			return s.view.Over.String()
		}
		var viewers sync.WaitGroup
		for range 50 {
			viewers.Go(func() {
				if over := look(); over != "300 ms" {
					t.Errorf("rates over %s", over)
				}
			})
		}
		viewers.Wait()
		if samples != 2 {
			t.Errorf("%d samples for 50 viewers", samples)
		}
		for range 10 {
			time.Sleep(time.Second)
			look()
			look()
		}
		if samples != 12 || look() != "3 s" {
			t.Errorf("%d samples in 10 s, the last over %s", samples-2, look())
		}
		time.Sleep(time.Hour)
		if samples != 12 {
			t.Errorf("%d samples that nobody asked for", samples-12)
		}
		if over := look(); over != "300 ms" || samples != 14 {
			t.Errorf("after a pause: %d samples, rates over %s", samples-12, over)
		}
	})
}

// TestViewerThatLeaves: a request whose peer has gone does not wait for its samples.
func TestViewerThatLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(func() map[string]any { return stats("fg://a:1") }).sampler.sample(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRingChart(t *testing.T) {
	if got := newRingChart(upstreamOf(8)); got != nil {
		t.Errorf("a chart of no rings: %+v", got)
	}
	got := newRingChart(upstreamOf(8, 0, 1e-9, 4, 80))
	if want := (ringChart{15, "M4 16v-1.0h3v1.0zM8 16v-8.0h3v8.0zM12 16v-16.0h3v16.0z"}); *got != want {
		t.Errorf("%+v, want %+v", *got, want)
	}
}

// upstreamOf is an upstream with rings of that limit, which have so many entries.
func upstreamOf(limit float64, entries ...float64) (u view.Upstream) {
	u.RingLimit = view.Count(limit)
	for i, n := range entries {
		u.Rings = append(u.Rings, view.Ring{Worker: i, In: n})
	}
	return u
}

// TestTroubled: faults come first, six are named, and one upstream has no list.
func TestTroubled(t *testing.T) {
	of := func(well, busy, fault int) *view.View {
		v := &view.View{}
		for level, n := range map[view.Level]int{view.Well: well, view.Busy: busy, view.Fault: fault} {
			for range n {
				v.Upstreams = append(v.Upstreams, view.Upstream{Level: level})
			}
		}
		return v
	}
	for _, v := range []*view.View{of(0, 0, 0), of(0, 0, 1), of(5, 0, 0)} {
		if got := newTroubled(v); got != nil {
			t.Errorf("%+v of %d upstreams", got, len(v.Upstreams))
		}
	}
	got := newTroubled(of(3, 9, 2))
	if len(got.Rows) != maxTroubled || got.More != 5 || got.Rows[1].Level != view.Fault || got.Rows[2].Level != view.Busy {
		t.Errorf("%+v", got)
	}
}
