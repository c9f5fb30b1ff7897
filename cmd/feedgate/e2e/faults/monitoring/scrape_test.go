package monitoring

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// series is one series of a scrape: its labels, name included, and its value.
type series struct {
	labels map[string]string
	value  float64
}

// name returns the series as a selector.
func (s series) name() string {
	var pairs []string
	for _, label := range slices.Sorted(maps.Keys(s.labels)) {
		if label != "__name__" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", label, s.labels[label]))
		}
	}
	return s.labels["__name__"] + "{" + strings.Join(pairs, ",") + "}"
}

// serve starts a feed until the test ends.
func serve(t *testing.T, cfg feedserver.Config) *feedserver.Server {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	server, err := feedserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// scrape returns the series of a gateway as Prometheus stores them.
func scrape(t *testing.T, p *testkit.Process) []series {
	t.Helper()
	body, err := p.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err != nil {
		t.Fatal(err)
	}
	var all []series
	for _, s := range samples {
		one := series{map[string]string{}, float64(s.Value)}
		for name, value := range s.Metric {
			one.labels[string(name)] = string(value)
		}
		// What a scrape configuration adds.
		one.labels["job"], one.labels["instance"] = "feedgate", "gw:4190"
		all = append(all, one)
	}
	return all
}

// scrapeAll returns the series of a gateway that has every metric: two upstreams, one of them of NSQ,
// which has error reasons of its own, and dead letters.
func scrapeAll(t *testing.T) []series {
	t.Helper()
	feed := serve(t, feedserver.Config{Count: 100})
	p := testkit.Start(t, testkit.Launch{Admin: true, Args: []string{
		"fg://" + feed.Addr().String(), "nsq://127.0.0.1:1/topic/channel", "--workers=2",
		"--sink=file:" + t.TempDir() + "/sink", "--dead-letter=file:" + t.TempDir() + "/dead",
	}})
	var all []series
	testkit.Eventually(t, "all messages in the sink", func() bool {
		all = scrape(t, p)
		for _, s := range all {
			if s.labels["__name__"] == "feedgate_sink_messages_total" && s.labels["sink"] == "sink" {
				return s.value == 100
			}
		}
		return false
	})
	return append(all, upSeries)
}

// upSeries is what Prometheus adds to each scrape that succeeds.
var upSeries = series{map[string]string{"__name__": "up", "job": "feedgate", "instance": "gw:4190"}, 1}

// names returns the label values that each metric of a scrape has, by name and label.
func names(all []series) map[string]map[string]map[string]bool {
	found := make(map[string]map[string]map[string]bool)
	for _, s := range all {
		name := s.labels["__name__"]
		if found[name] == nil {
			found[name] = make(map[string]map[string]bool)
		}
		for label, value := range s.labels {
			if found[name][label] == nil {
				found[name][label] = make(map[string]bool)
			}
			found[name][label][value] = true
		}
	}
	return found
}
