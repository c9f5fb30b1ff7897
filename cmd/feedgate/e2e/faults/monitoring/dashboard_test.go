package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// board is the part of a dashboard that the tests look at.
type board struct {
	Panels      []panel
	Annotations struct{ List []struct{ Target target } }
	Templating  struct {
		List []struct{ Name, Definition string }
	}
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ H, W, X, Y int }
	Datasource  struct{ UID string }
	Targets     []target
}

type target struct{ RefID, Expr string }

func readDashboard(t *testing.T) (b board, raw []byte) {
	t.Helper()
	raw, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	return b, raw
}

// schemaFaults returns how a dashboard violates Grafana's schema; empty: not at all.
func schemaFaults(raw []byte) string {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	// The error is a list, which may be empty although it is not nil.
	if err := d.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := d.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

// TestDashboardSchema: the dashboard has no field that Grafana does not know, no required one is missing,
// and all types are right, in every panel's options as well.
func TestDashboardSchema(t *testing.T) {
	_, raw := readDashboard(t)
	if faults := schemaFaults(raw); faults != "" {
		t.Error(faults)
	}
	for good, bad := range map[string]string{
		`"graphMode": "none"`: `"graphMod": "none"`,
		`"refresh": "30s"`:    `"refresh": 30`,
		`"collapsed": false,`: ``,
	} {
		if faults := schemaFaults([]byte(strings.Replace(string(raw), good, bad, 1))); faults == "" {
			t.Errorf("with %s instead of %s, no fault is found", bad, good)
		}
	}
}

// currentPanels are the types of panels that Grafana has not deprecated and that the dashboard uses.
var currentPanels = []string{"row", "stat", "timeseries", "state-timeline", "heatmap", "table"}

// TestDashboardLayout: panels have a current type, a title, IDs of their own, the variable data source,
// and places of their own.
func TestDashboardLayout(t *testing.T) {
	b, _ := readDashboard(t)
	ids := make(map[int]bool)
	cells := make(map[[2]int]string)
	for _, p := range b.Panels {
		if !slices.Contains(currentPanels, p.Type) || p.Title == "" || ids[p.ID] {
			t.Errorf("panel %d %q of type %q: a title, another type or another ID is missing", p.ID, p.Title, p.Type)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Datasource.UID != "${datasource}" || len(p.Targets) == 0) {
			t.Errorf("%q has the data source %q and %d queries", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%q overlaps %q or the border", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// queries returns the queries of a dashboard by where they are, with the variables replaced.
func (b board) queries() map[string]string {
	variables := strings.NewReplacer("$instance", ".*", "$upstream", ".*",
		"$__rate_interval", "5m", "$__range", "1h", "$__interval", "5m")
	all := make(map[string]string)
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			all[fmt.Sprintf("%q %s", p.Title, q.RefID)] = variables.Replace(q.Expr)
		}
	}
	for i, a := range b.Annotations.List {
		all[fmt.Sprintf("annotation %d", i)] = variables.Replace(a.Target.Expr)
	}
	for _, v := range b.Templating.List {
		// label_values(SELECTOR, LABEL)
		if args, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			at := strings.LastIndex(args, ",")
			all["variable "+v.Name] = variables.Replace(
				"sum by (" + strings.Trim(args[at:], ", )") + ") (" + args[:at] + ")")
		}
	}
	return all
}

// TestDashboardQueries: every metric, label and value in every query is in a scrape of the binary.
func TestDashboardQueries(t *testing.T) {
	b, _ := readDashboard(t)
	queries := b.queries()
	if len(queries) < 40 {
		t.Errorf("only %d queries were found", len(queries))
	}
	check := newChecker(scrapeAll(t))
	for where, query := range queries {
		for _, fault := range check.check(query) {
			t.Errorf("%s: %s", where, fault)
		}
		if strings.Contains(query, "$") {
			t.Errorf("%s has an unknown variable: %s", where, query)
		}
	}
}

// notOnDashboard are metrics that no panel needs.
var notOnDashboard = []string{
	"feedgate_ack_watermark", // its rate is that of the acks
}

// TestDashboardIsComplete: the dashboard has every metric of feedgate.
func TestDashboardIsComplete(t *testing.T) {
	b, _ := readDashboard(t)
	var all strings.Builder
	for _, query := range b.queries() {
		all.WriteString(query + "\n")
	}
	for name := range names(scrapeAll(t)) {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "feedgate_") && !strings.Contains(all.String(), name) && !slices.Contains(notOnDashboard, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
