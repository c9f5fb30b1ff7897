package monitoring

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// rule is an alert.
type rule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict(), yaml.AllowFieldPrefixes("name")); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// TestRuleQueries: every metric, label and value in every rule is in a scrape of the binary.
func TestRuleQueries(t *testing.T) {
	check := newChecker(scrapeAll(t))
	for _, r := range readRules(t) {
		for _, fault := range check.check(r.Expr) {
			t.Errorf("%s: %s", r.Alert, fault)
		}
	}
}

// TestRulesAreComplete: each alert has a severity, a summary, a description, and a link to its own
// section, which exists; each section of an alert has one. A test makes each alert fire.
func TestRulesAreComplete(t *testing.T) {
	page := read(t, root+"/"+runbook)
	tests := read(t, ruleTestsFile)
	alerts := make(map[string]bool)
	for _, r := range readRules(t) {
		alerts[r.Alert] = true
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if r.For != "" {
			if _, err := time.ParseDuration(r.For); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
		}
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		if want := runbook + "#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s links to %q, not to %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.Contains(page, "\n### "+r.Alert+"\n") {
			t.Errorf("%s has no section %s", runbook, r.Alert)
		}
		if !strings.Contains(tests, `{alertname="`+r.Alert+`"}`) {
			t.Errorf("no test makes %s fire", r.Alert)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Feedgate\w+)$`).FindAllStringSubmatch(page, -1) {
		if !alerts[m[1]] {
			t.Errorf("%s has a section %s, which is no alert", runbook, m[1])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
