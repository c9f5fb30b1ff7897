package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// Threshold is a condition that makes a run fail.
type Threshold struct {
	text    string
	subject string // empty: the product, or all subjects if it is not measured
	metric  string
	op      string
	value   float64
}

// operators lists longer operators before their prefixes.
var operators = []string{"<=", ">=", "==", "!=", "<", ">"}

// ParseThreshold reads [SUBJECT:]METRIC OP NUMBER, such as of_limit<0.4 or
// channels:p99_us>2000.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{text: text}
	expr := text
	if i := strings.LastIndexByte(text, ':'); i >= 0 { // the last colon: a PATH may have colons as well
		subject, rest := strings.TrimSpace(text[:i]), text[i+1:]
		if name, _, _ := strings.Cut(subject, "@"); Find(name) == nil {
			return t, fmt.Errorf("there is no subject %q; there are %s", subject, names())
		}
		t.subject, expr = subject, rest
	}
	i := strings.IndexAny(expr, "<>=!")
	if i < 0 {
		return t, fmt.Errorf("%q has none of %s", text, strings.Join(operators, " "))
	}
	t.metric = strings.TrimSpace(expr[:i])
	if _, known := new(Row).Metric(t.metric); !known {
		return t, fmt.Errorf("there is no figure %q; there are %s", t.metric, metricNames())
	}
	for _, op := range operators {
		if rest, found := strings.CutPrefix(expr[i:], op); found {
			t.op = op
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil || value != value {
				return t, fmt.Errorf("%q is not a number", strings.TrimSpace(rest))
			}
			t.value = value
			return t, nil
		}
	}
	return t, fmt.Errorf("%q is not one of %s", expr[i:i+1], strings.Join(operators, " "))
}

func metricNames() string {
	var all []string
	for _, f := range figures {
		all = append(all, f.name)
	}
	return strings.Join(append(all, "missing", "duplicate", "unknown"), ", ")
}

// Subject returns the subject that the threshold names, or "".
func (t Threshold) Subject() string { return t.subject }

// Crossed returns one line for each row that crosses the threshold. An unknown figure crosses every
// threshold, and so does a subject without a row.
func (t Threshold) Crossed(rows []Row) (lines []string) {
	subject := t.subject
	for i := range rows {
		if subject == "" && rows[i].Subject == productName {
			subject = productName
		}
	}
	meant := 0
	for i := range rows {
		r := &rows[i]
		if subject != "" && r.Subject != subject {
			continue
		}
		meant++
		value, _ := r.Metric(t.metric)
		at := fmt.Sprintf("%s, %d bytes, %d workers", r.Subject, r.Size, r.Workers)
		switch {
		case value == nil:
			lines = append(lines, fmt.Sprintf("%s: %s: %s is not known", t.text, at, t.metric))
		case t.holds(*value):
			lines = append(lines, fmt.Sprintf("%s: %s: %s is %.6g", t.text, at, t.metric, *value))
		}
	}
	if meant == 0 {
		lines = append(lines, fmt.Sprintf("%s: %s was not measured", t.text, subject))
	}
	return lines
}

func (t Threshold) holds(v float64) bool {
	switch t.op {
	case "<":
		return v < t.value
	case "<=":
		return v <= t.value
	case ">":
		return v > t.value
	case ">=":
		return v >= t.value
	case "==":
		return v == t.value
	case "!=":
		return v != t.value
	}
	panic("bench: operator " + t.op)
}
