package admin

import (
	"strings"
	"testing"

	"feedgate/gateway"
)

func TestLabel(t *testing.T) {
	for url, want := range map[string]string{
		"fg://h:1":                         "fg://h:1",
		"fg://h:1,i:2":                     "fg://h:1,i:2",
		"fg://user:pass@h:1,i:2":           "fg://h:1,i:2",
		"fg://u:p@ss@h:1":                  "fg://h:1",
		"ws://u:p@h/path/x?token=abc#frag": "ws://h/path/x",
		"ws://h?token=a@b":                 "ws://h",
		"ws://h/@name":                     "ws://h/@name",
		"nsq://h:1/topic/channel":          "nsq://h:1/topic/channel",
		"fg+tls://[::1]:7000":              "fg+tls://[::1]:7000",
		"u:p@h:1":                          "h:1",
		"":                                 "",
	} {
		if got := Label(url); got != want {
			t.Errorf("%q becomes %q, not %q", url, got, want)
		}
	}
}

func TestLabelsDiffer(t *testing.T) {
	var stats gateway.Stats
	upstreams := []Upstream{{"ws://h/?a", &stats}, {"ws://h/?b", &stats}, {"fg://h:1", &stats}}
	if got := strings.Join(labels(upstreams), " "); got != "ws://h/ ws://h/#2 fg://h:1" {
		t.Errorf("labels %s", got)
	}
	if _, err := newRegistry(fixed(sources(upstreams)...)).Gather(); err != nil {
		t.Error(err)
	}
}
