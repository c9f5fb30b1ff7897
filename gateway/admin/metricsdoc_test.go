package admin

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/nsq"
)

// metricsPage explains every metric.
const metricsPage = "../../docs/metrics.md"

// documented is what a section of the page or a family says about a metric.
type documented struct {
	kind, labels, help string
}

// TestMetricsPage compares the page with the families, both ways: a metric is in both, with the same
// type, labels and help, in the same order.
func TestMetricsPage(t *testing.T) {
	page, order := readMetricsPage(t)
	families, wantOrder := allFamilies()
	for name, want := range families {
		got, ok := page[name]
		switch {
		case !ok:
			t.Errorf("the page lacks %s", name)
		case got.documented != want:
			t.Errorf("the page has %s as %q, the program as %q", name, got.documented, want)
		}
	}
	for name := range page {
		if _, ok := families[name]; !ok {
			t.Errorf("the page has %s, which does not exist", name)
		}
	}
	if !slices.Equal(order, wantOrder) {
		t.Errorf("the page has the order\n%v, not\n%v", order, wantOrder)
	}
}

// TestMetricsPageIsComplete: every section gives a unit, what is normal, and what to do otherwise.
func TestMetricsPageIsComplete(t *testing.T) {
	page, _ := readMetricsPage(t)
	for name, section := range page {
		if section.unit == "" {
			t.Errorf("%s has no unit", name)
		}
		for _, part := range []string{"**Normal:**", "**Otherwise:**"} {
			if strings.Count(section.text, part) != 1 {
				t.Errorf("%s: %q is there %d times, not once", name, part, strings.Count(section.text, part))
			}
		}
	}
}

// TestMetricsPageLabels: the values of labels with a fixed set of values are those that a gateway
// reports.
func TestMetricsPageLabels(t *testing.T) {
	page, _ := readMetricsPage(t)
	for name, label := range map[string]string{
		"feedgate_stopped_seconds_total": "why",
		"feedgate_waiting_for":           "for",
		"feedgate_protocol_errors_total": "reason",
	} {
		want := emitted(t, name)
		if label == "reason" {
			// A gateway adds those of its protocol, and Internal once it has occurred.
			want = append(append(want, nsq.Reasons...), wire.Internal)
		}
		got := tableValues(page[name].text, label)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the page has for %s\n%v, the program\n%v", name, label, got, want)
		}
	}
}

// section is the section of a metric.
type section struct {
	documented
	unit, text string
}

// sectionHead is the head of a section: name, type, unit, labels, help.
var sectionHead = regexp.MustCompile("^`(feedgate_\\w+)`\n\n(\\w+), ([^;\n]+); labels: (.+)\n\n> (.+)\n")

// readMetricsPage returns the sections by name, and the names in order.
func readMetricsPage(t *testing.T) (sections map[string]section, order []string) {
	t.Helper()
	text, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	sections = make(map[string]section)
	for _, part := range strings.Split(string(text), "\n### ")[1:] {
		head := sectionHead.FindStringSubmatch(part)
		if head == nil {
			if strings.HasPrefix(part, "`") {
				first, _, _ := strings.Cut(part, "\n")
				t.Errorf("the section of %s does not begin with its type, unit, labels and help", first)
			}
			continue
		}
		labels := strings.NewReplacer("`", "", ",", "", "none", "").Replace(head[4])
		sections[head[1]] = section{documented{head[2], labels, head[5]}, head[3], part}
		order = append(order, head[1])
	}
	return sections, order
}

// allFamilies returns what the program says about each metric, and the names in order.
func allFamilies() (all map[string]documented, order []string) {
	all = make(map[string]documented)
	add := func(name, help string, k kind, labels []string) {
		all[name] = documented{[]string{"counter", "gauge", "histogram"}[k], strings.Join(labels, " "), help}
		order = append(order, name)
	}
	for _, f := range upstreamFamilies {
		add(f.name, f.help, f.kind, append([]string{"upstream"}, f.labels...))
	}
	for _, f := range sinkFamilies {
		add(f.name, f.help, f.kind, append([]string{"sink"}, f.labels...))
	}
	for _, f := range processFamilies {
		add(f.name, f.help, f.kind, f.labels)
	}
	return all, order
}

// emitted returns the values of the one label that a new gateway's metric has besides upstream.
func emitted(t *testing.T, name string) (values []string) {
	t.Helper()
	for _, f := range upstreamFamilies {
		if f.name == name {
			f.read(new(gateway.Stats), func(_ any, labels ...string) { values = append(values, labels[0]) })
		}
	}
	if len(values) == 0 {
		t.Errorf("no values of %s", name)
	}
	return values
}

// quoted is a value in a cell of a table.
var quoted = regexp.MustCompile("`([^`]+)`")

// tableValues returns the values in the first column of the tables whose head is a label.
func tableValues(text, label string) (values []string) {
	inTable := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, fmt.Sprintf("| `%s` |", label)):
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable:
			for _, m := range quoted.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				values = append(values, m[1])
			}
		}
	}
	return values
}
