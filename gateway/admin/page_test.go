package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/admin/view"
)

// TestPageBelowAPath: in a program's own server, all that the page refers to is below its path.
func TestPageBelowAPath(t *testing.T) {
	stats := new(gateway.Stats)
	stats.Connected.Store(true)
	report := Report{Upstreams: fixed(Upstream{Label: "fg://a:1", Stats: stats})}
	mux := http.NewServeMux()
	mux.Handle("/feed/gate/", http.StripPrefix("/feed/gate", report.Handler(nil)))
	get := func(path string) string {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusOK {
			t.Errorf("%s answers %d", path, answer.Code)
		}
		return answer.Body.String()
	}
	base, err := url.Parse("http://a/feed/gate/")
	if err != nil {
		t.Fatal(err)
	}
	body := get(base.Path)
	links := regexp.MustCompile(`href="([^"#]+)"|fetch\("([^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(links) != 5 {
		t.Errorf("links %q, want four paths and the part that changes", links)
	}
	for _, link := range links {
		to, err := base.Parse(link[1] + link[2])
		if err != nil {
			t.Fatal(err)
		}
		get(to.Path)
	}
	if live := get("/feed/gate/live"); !strings.Contains(live, "fg://a:1") || !strings.Contains(live, "Keeping up") {
		t.Errorf("what changes is %s", live)
	}
}

// TestViewReadsTheDocument: the page reads the document as top reads its JSON.
func TestViewReadsTheDocument(t *testing.T) {
	stats := new(gateway.Stats)
	stats.Messages.Store(12)
	stats.InFlight.Store(3)
	stats.Connected.Store(true)
	stats.Duplicates.Store(4)
	report := Report{
		Upstreams: fixed(Upstream{Label: "fg://a:1", Stats: stats}, Upstream{Label: "fg://b:1", Stats: new(gateway.Stats)}),
		Process:   &Process{Version: "v1", GoVersion: "go1"},
	}
	document := newDocument(report)
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	fromMemory := view.New(nil, view.FromStats(document, now))
	fromJSON := view.New(nil, view.FromStats(decoded, now))
	if a, b := fmt.Sprintf("%+v", fromMemory), fmt.Sprintf("%+v", fromJSON); a != b {
		t.Errorf("from memory: %s\nfrom JSON: %s", a, b)
	}
	u := fromMemory.Upstreams[0]
	if u.InFlight.Now != 3 || len(u.Events) != 1 || u.Events[0] != (view.Event{Name: "duplicates", Total: 4}) || fromMemory.Version != "v1" {
		t.Errorf("%+v", u)
	}
	if len(fromMemory.Missing) != 1 || fromMemory.Missing[0] != "upstream fg://b:1 is not connected" {
		t.Errorf("missing %q", fromMemory.Missing)
	}
}
