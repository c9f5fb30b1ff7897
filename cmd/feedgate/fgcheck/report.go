package fgcheck

import (
	"fmt"
	"io"
	"strings"
)

// verdict is what is known about a rule. Higher ones replace lower ones.
type verdict uint8

const (
	unseen verdict = iota
	kept
	broken
)

// finding is the verdict on a rule.
type finding struct {
	verdict verdict
	detail  string // of broken: what was seen; of unseen: why, or empty
}

// report collects the verdicts. The goroutine of [Run] owns it.
type report struct {
	found     map[rule]finding
	cancelled func() bool // once true, what is seen is no fault of the server
}

func newReport(cancelled func() bool) *report {
	return &report{found: map[rule]finding{}, cancelled: cancelled}
}

// keep records that the rule was seen to be kept.
func (r *report) keep(names ...rule) {
	for _, name := range names {
		if r.found[name].verdict == unseen {
			r.found[name] = finding{verdict: kept}
		}
	}
}

// broke records that the rule was broken, and what was seen. The first time counts.
func (r *report) broke(name rule, format string, args ...any) {
	if r.found[name].verdict != broken && !r.cancelled() {
		r.found[name] = finding{broken, fmt.Sprintf(format, args...)}
	}
}

// skip records why the rule could not be tested. The first reason counts.
func (r *report) skip(name rule, format string, args ...any) {
	if f := r.found[name]; f.verdict == unseen && f.detail == "" {
		r.found[name] = finding{detail: fmt.Sprintf(format, args...)}
	}
}

// skipRest records why the rules that were not seen yet could not be tested.
func (r *report) skipRest(reason string) {
	for _, text := range rules {
		r.skip(text.name, "%s", reason)
	}
}

// isBroken reports whether the rule was broken.
func (r *report) isBroken(name rule) bool { return r.found[name].verdict == broken }

// count returns how many rules have this verdict.
func (r *report) count(v verdict) (n int) {
	for _, text := range rules {
		if r.found[text.name].verdict == v {
			n++
		}
	}
	return n
}

// write prints a line for each rule, and the counts.
func (r *report) write(w io.Writer) error {
	width := 0
	for _, text := range rules {
		width = max(width, len(text.name))
	}
	var b strings.Builder
	for _, text := range rules {
		f := r.found[text.name]
		mark, more := "-", ": not seen: "+text.occasion
		switch {
		case f.verdict == kept:
			mark, more = "ok", ""
		case f.verdict == broken:
			mark, more = "FAIL", ": "+f.detail
		case f.detail != "":
			more = ": not seen: " + f.detail
		}
		fmt.Fprintf(&b, "%-4s  %-*s  %s%s\n", mark, width, text.name, text.sentence, more)
	}
	fmt.Fprintf(&b, "%d rules: %d ok, %d broken, %d not seen\n",
		len(rules), r.count(kept), r.count(broken), r.count(unseen))
	_, err := io.WriteString(w, b.String())
	return err
}
