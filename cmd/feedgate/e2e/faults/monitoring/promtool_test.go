package monitoring

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// promtool runs promtool, which must exit with status 0.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skipf("NOT TESTED: promtool %s: %v; apt-get install prometheus", strings.Join(args, " "), err)
	}
	if status, stdout, stderr := testkit.Command(t, testkit.Patience, nil, path, args...); status != 0 {
		t.Errorf("promtool %s: status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
}

func TestPromtoolCheck(t *testing.T) { promtool(t, "check", "rules", rulesFile) }

func TestPromtoolTest(t *testing.T) { promtool(t, "test", "rules", ruleTestsFile) }

// A unitTest is a file for `promtool test rules`.
type unitTest struct {
	RuleFiles          []string   `yaml:"rule_files,omitempty"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	Tests              []testCase `yaml:"tests"`
}

type testCase struct {
	Interval string        `yaml:"interval"`
	Input    []inputSeries `yaml:"input_series"`
	Queries  []queryTest   `yaml:"promql_expr_test"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type queryTest struct {
	Expr    string   `yaml:"expr"`
	At      string   `yaml:"eval_time"`
	Samples []sample `yaml:"exp_samples"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

func (u unitTest) run(t *testing.T) {
	t.Helper()
	text, err := yaml.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.yml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", file)
}

// TestDashboardEvaluates: over two scrapes of a busy gateway, continued in a line, the query of every
// panel has a result. Those that end in "> 0" show only what is wrong, and have none.
func TestDashboardEvaluates(t *testing.T) {
	feed := serve(t, feedserver.Config{Rate: 1000})
	p := testkit.Start(t, testkit.Launch{Admin: true, Args: []string{
		"fg://" + feed.Addr().String(), "--workers=2", "--sink=file:" + t.TempDir() + "/sink",
	}})
	var first, second map[string]float64
	testkit.Eventually(t, "requests to the sink", func() bool {
		first = values(scrape(t, p))
		return first[`feedgate_sink_seconds_count{instance="gw:4190",job="feedgate",sink="sink"}`] > 0
	})
	acks := fmt.Sprintf(`feedgate_ack_latency_seconds_count{instance="gw:4190",job="feedgate",upstream="fg://%s"}`, feed.Addr())
	testkit.Eventually(t, "more acks", func() bool {
		second = values(scrape(t, p))
		return second[acks] > first[acks]
	})
	c := testCase{Interval: "15s"}
	for name, value := range first {
		c.Input = append(c.Input, inputSeries{name, fmt.Sprintf("%g%+gx40", value, second[name]-value)})
	}
	b, _ := readDashboard(t)
	for _, query := range b.queries() {
		if !strings.HasSuffix(query, "> 0") {
			c.Queries = append(c.Queries, queryTest{"count(" + query + ") > bool 0", "9m", []sample{{"{}", 1}}})
		}
	}
	if len(c.Queries) < 40 {
		t.Errorf("only %d queries", len(c.Queries))
	}
	unitTest{EvaluationInterval: "15s", Tests: []testCase{c}}.run(t)
}

// values returns the values of a scrape by series.
func values(all []series) map[string]float64 {
	found := make(map[string]float64)
	for _, s := range all {
		found[s.name()] = s.value
	}
	return found
}
