package monitoring

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// checker checks queries against a scrape.
type checker struct {
	known  map[string]map[string]map[string]bool // of names
	parser parser.Parser
}

func newChecker(all []series) *checker {
	return &checker{names(all), parser.NewParser(parser.Options{})}
}

// check returns the faults of a query: metrics, labels and values that the scrape does not have.
func (c *checker) check(query string) (faults []string) {
	expr, err := c.parser.ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			faults = append(faults, c.checkSelector(n)...)
		case *parser.AggregateExpr:
			faults = append(faults, c.checkLabels(n, n.Grouping)...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				faults = append(faults, c.checkLabels(n, n.VectorMatching.MatchingLabels)...)
				faults = append(faults, c.checkLabels(n, n.VectorMatching.Include)...)
			}
		}
		return nil
	})
	return faults
}

// checkSelector checks a metric, and each of its matchers: the label exists and a value matches; for a
// negated one, each value that it excludes exists.
func (c *checker) checkSelector(s *parser.VectorSelector) (faults []string) {
	metric, ok := c.known[s.Name]
	if !ok {
		return []string{fmt.Sprintf("there is no metric %s", s.Name)}
	}
	for _, m := range s.LabelMatchers {
		values, ok := metric[m.Name]
		if !ok {
			faults = append(faults, fmt.Sprintf("%s has no label %s", s.Name, m.Name))
			continue
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if !matchesAny(value, m.Type, values) {
				faults = append(faults, fmt.Sprintf("%s has no %s=%q", s.Name, m.Name, value))
			}
		}
	}
	return faults
}

// matchesAny reports whether one of the values matches an alternative of a matcher.
func matchesAny(alternative string, kind labels.MatchType, values map[string]bool) bool {
	if kind == labels.MatchEqual || kind == labels.MatchNotEqual {
		return values[alternative]
	}
	pattern := regexp.MustCompile("^(?:" + alternative + ")$")
	for value := range values {
		if pattern.MatchString(value) {
			return true
		}
	}
	return false
}

// checkLabels checks that each label is on some metric below an expression.
func (c *checker) checkLabels(below parser.Expr, all []string) (faults []string) {
	for _, label := range all {
		found := false
		for _, matchers := range parser.ExtractSelectors(below) {
			for _, m := range matchers {
				found = found || m.Name == labels.MetricName && c.known[m.Value][label] != nil
			}
		}
		if !found {
			faults = append(faults, fmt.Sprintf("no metric of %s has the label %s", below, label))
		}
	}
	return faults
}

// TestChecker: each kind of fault is found.
func TestChecker(t *testing.T) {
	c := newChecker([]series{
		{map[string]string{"__name__": "a", "x": "1", "le": "2"}, 1},
		{map[string]string{"__name__": "b", "y": "1"}, 1},
	})
	for query, want := range map[string]string{
		`a / on (x) b`:                  "",
		`sum by (le) (rate(a[5m]))`:     "",
		`a{x=~"1|[0-9]"} > 0`:           "",
		`a +`:                           "parse error",
		`sum(rate(c[5m]))`:              "no metric c",
		`a{y="1"}`:                      "no label y",
		`a{x="2"}`:                      `no x="2"`,
		`a{x=~"1|3"}`:                   `no x="3"`,
		`a{x!~"1|3"}`:                   `no x="3"`,
		`sum by (z) (a)`:                "label z",
		`a / ignoring (x, z) b`:         "label z",
		`a * on (x) group_left (z) b`:   "label z",
		`avg_over_time((a + c)[5m:1m])`: "no metric c",
	} {
		faults := strings.Join(c.check(query), "; ")
		if want == "" && faults != "" || !strings.Contains(faults, want) {
			t.Errorf("%s: %q, want %q", query, faults, want)
		}
	}
}
