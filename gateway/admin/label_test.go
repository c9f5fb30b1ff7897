package admin

import (
	"strings"
	"testing"

	"feedgate/gateway"
)

func TestLabelsDiffer(t *testing.T) {
	var stats gateway.Stats
	upstreams := []Upstream{{"ws://h/", &stats}, {"ws://h/", &stats}, {"fg://h:1", &stats}}
	if got := strings.Join(labels(upstreams), " "); got != "ws://h/ ws://h/#2 fg://h:1" {
		t.Errorf("labels %s", got)
	}
	if _, err := newRegistry(Report{Upstreams: fixed(upstreams...)}).Gather(); err != nil {
		t.Error(err)
	}
}
