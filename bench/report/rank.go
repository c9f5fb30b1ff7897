package report

import (
	"cmp"
	"slices"
	"strings"

	"feedgate/bench"
)

// Signs between neighbours of a ranking. They apply only to those two.
const (
	signBetter   = ">" // the left is larger and better
	signLess     = "<" // the left is smaller and better
	signSame     = "~"
	signUnjudged = "?"
)

// ranking has rows from the best to the worst in one figure.
type ranking struct {
	metric metric
	title  string
	rows   []*bench.Row
	signs  []string // between a row and the next
}

// rank orders rows of one load by rate or, if a rate was offered, so that it is about the same for
// all, by p99. Rows without the figure are left out.
func rank(l load, rows []*bench.Row) ranking {
	r := ranking{metric: rate, title: "Fastest first"}
	sign := signBetter
	if l.rate > 0 {
		r.metric, r.title, sign = p99, "Lowest p99 first", signLess
	}
	for _, row := range rows {
		if r.metric.of(row) != nil {
			r.rows = append(r.rows, row)
		}
	}
	slices.SortStableFunc(r.rows, func(a, b *bench.Row) int {
		return -r.metric.better * cmp.Compare(*r.metric.of(a), *r.metric.of(b))
	})
	for i := 1; i < len(r.rows); i++ {
		s := sign
		switch r.metric.judge(r.rows[i-1], r.rows[i]) {
		case unjudged:
			s = signUnjudged
		case within:
			s = signSame
		}
		r.signs = append(r.signs, s)
	}
	return r
}

// String returns the order in one line, "" if there is nothing to order.
func (r ranking) String() string {
	if len(r.rows) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString(r.title + ": " + name(r.rows[0]))
	for i, sign := range r.signs {
		b.WriteString(" " + sign + " " + name(r.rows[i+1]))
	}
	return b.String()
}

// signKey explains the signs that were used.
func signKey(used func(sign string) bool) string {
	var p parts
	p.add(used(signBetter) || used(signLess), "> and <: their spreads do not overlap")
	p.add(used(signSame), "~: their spreads overlap")
	p.add(used(signUnjudged), "?: fewer than 2 rounds, no spread to judge by")
	if len(p) == 0 {
		return ""
	}
	return "Between neighbours: " + strings.Join(p, "; ") + "."
}
