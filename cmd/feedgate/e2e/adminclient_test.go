package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// adminClient has a timeout, so that a hung admin address fails its test.
var adminClient = &http.Client{Timeout: patience}

// get fetches a page of the admin address. Status 0 means that there is no response.
func (p *process) get(path string) (status int, body string) {
	response, err := adminClient.Get("http://" + p.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// sample is one line of /metrics.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// scrape reads /metrics once it answers.
func (p *process) scrape() []sample {
	p.t.Helper()
	var body string
	eventually(p.t, "/metrics answers 200", func() bool {
		if !p.running() {
			p.t.Fatalf("exit status %d, and no metrics", p.status(patience))
		}
		var status int
		status, body = p.get("/metrics")
		return status == http.StatusOK
	})
	var all []sample
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			all = append(all, parseSample(p.t, line))
		}
	}
	return all
}

// parseSample parses a line of the text format, without escapes in label values, which no name or URL
// of these tests needs.
func parseSample(t *testing.T, line string) sample {
	t.Helper()
	s := sample{labels: map[string]string{}}
	rest := line
	if name, after, found := strings.Cut(line, "{"); found {
		s.name = name
		labels, value, closed := strings.Cut(after, "} ")
		if !closed {
			t.Fatalf("metrics line %q", line)
		}
		for label := range strings.SplitSeq(strings.TrimSuffix(labels, ","), `",`) {
			key, text, _ := strings.Cut(label, `="`)
			s.labels[key] = strings.TrimSuffix(text, `"`)
		}
		rest = value
	} else {
		s.name, rest, _ = strings.Cut(line, " ")
	}
	value, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatalf("metrics line %q: %v", line, err)
	}
	s.value = value
	return s
}

// metric returns the sum of the samples of a metric that have all the labels, given as alternating
// names and values. It is 0 if there are none.
func (p *process) metric(name string, labels ...string) float64 {
	p.t.Helper()
	sum := 0.0
next:
	for _, s := range p.scrape() {
		if s.name != name {
			continue
		}
		for i := 0; i < len(labels); i += 2 {
			if s.labels[labels[i]] != labels[i+1] {
				continue next
			}
		}
		sum += s.value
	}
	return sum
}

// waitMetric waits until the metric has the value want.
func (p *process) waitMetric(want float64, name string, labels ...string) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%s%v is %v", name, labels, want), func() bool {
		return p.metric(name, labels...) == want
	})
}

// protocolErrors waits until want protocol errors have been counted for the reason.
func (p *process) protocolErrors(want float64, reason string) {
	p.t.Helper()
	p.waitMetric(want, "feedgate_protocol_errors_total", "reason", reason)
}
