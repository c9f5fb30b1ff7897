package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// View is what is shown: the last snapshot, and what happened since an earlier one.
type View struct {
	At      time.Time
	Over    Seconds // between the two snapshots; NaN: there is no earlier one
	Version string
	// Missing is what keeps the process from being ready.
	Missing    []string
	LogDropped Count

	Upstreams []Upstream // in the order of their labels
	Groups    []Group    // the worst first
	Sinks     []Sink

	// Of all upstreams.
	Incoming, Acked Rate
	Bytes           Rate
	InFlight        Gauge
	Oldest          Age
	P50, P99        Seconds
}

// Level is how well an upstream is doing.
type Level string

const (
	Fault Level = "fault" // the process is not ready because of it
	Busy  Level = "busy"  // something on this side, or unread acks, limits the rate
	Well  Level = "well"  // it handles what it receives
)

// Upstream is what is shown of an upstream.
type Upstream struct {
	Label    string
	Level    Level
	WaitsFor string // a value of feedgate_waiting_for
	Waiting  string // the same in words
	Stalled  string // where messages waited when the stall was reported; "": no stall
	Refusing Rate   // of refused messages, if that is more than a hundredth of all; else 0

	Incoming, Acked, Bytes Rate
	InFlight               Gauge
	Oldest                 Age     // unacknowledged
	P50, P99               Seconds // of the time from read to ack
	HandlerP50, HandlerP99 Seconds // of a handler's call
	Memory                 Gauge
	UnsentAcks             float64

	Rings     []Ring
	RingLimit Count
	Stopped   []Stopped // causes that have stopped the reading since the earlier snapshot
	Errors    []Event   // by reason
	Events    []Event
}

// Ring is the number of entries in a worker's rings, to it and from it.
type Ring struct {
	Worker  int
	In, Out float64
}

// Stopped is for how much of the time reading was stopped.
type Stopped struct {
	Why   string
	Share Share
}

// Event is a counter that is not 0.
type Event struct {
	Name          string
	Total, Recent Count
}

// Group is the number of upstreams that wait for the same.
type Group struct {
	WaitsFor string
	Level    Level
	N        int
}

// Sink is what is shown of a sink.
type Sink struct {
	Name, Label       string
	Ready             bool
	Rate              Rate
	P50, P99          Seconds // of a request or write
	Batch             Rate    // messages per request, on average; NaN: there was none
	Requests          Count   // in progress
	Refused, Retries  Count
	Restarts          Count // of children
	Taken             Count
	RecentlyRefused   Count
	RecentlyRetried   Count
	RecentlyRestarted Count
}

// refusing stands for what an upstream waits for in a Group if it refuses messages and keeps up.
const refusing = "refusing"

// groups counts the upstreams by what they wait for.
func groups(all []Upstream) []Group {
	rank := map[Level]int{Fault: 0, Busy: 1, Well: 2}
	n := make(map[Group]int)
	for _, u := range all {
		what := u.WaitsFor
		switch {
		case u.Stalled != "":
			what = "stalled"
		case u.Refusing > 0 && what == "upstream":
			what = refusing
		}
		n[Group{WaitsFor: what, Level: u.Level}]++
	}
	var list []Group
	for g, n := range n {
		g.N = n
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(rank[a.Level]-rank[b.Level], b.N-a.N, strings.Compare(a.WaitsFor, b.WaitsFor))
	})
	return list
}

// Ready reports whether the process is ready.
func (v *View) Ready() bool { return len(v.Missing) == 0 }

// maxReasons is the most lines of Reasons.
const maxReasons = 8

// Reasons returns the lines of Missing, at most maxReasons. It leaves out those about an upstream, which is
// shown with them.
func (v *View) Reasons() (lines []string) {
	for _, line := range v.Missing {
		about, found := strings.CutPrefix(line, "upstream ")
		if !found || !slices.ContainsFunc(v.Upstreams, func(u Upstream) bool { return strings.HasPrefix(about, u.Label+" is ") }) {
			lines = append(lines, line)
		}
	}
	if more := len(lines) - maxReasons; more > 0 {
		lines = append(lines[:maxReasons], fmt.Sprintf("and %d more", more))
	}
	return lines
}

// Level is the worst of the upstreams', and Fault if the process is not ready.
func (v *View) Level() Level {
	switch {
	case !v.Ready():
		return Fault
	case len(v.Groups) > 0:
		return v.Groups[0].Level
	}
	return Well
}

// Short is what the process waits for now, without numbers that change all the time.
func (v *View) Short() string {
	switch len(v.Upstreams) {
	case 0:
		return "There is no upstream yet"
	case 1:
		u := &v.Upstreams[0]
		what, _, _ := strings.Cut(u.Waiting, ": ")
		switch {
		case u.Stalled != "":
			return "Stalled, waiting for " + what
		case u.Refusing > 0:
			return fmt.Sprintf("Refusing %s msg/s, waiting for %s", u.Refusing, what)
		case u.Level == Well:
			return "Keeping up, waiting for " + what
		}
		return "Waiting for " + what
	}
	var parts []string
	for _, g := range v.Groups {
		parts = append(parts, fmt.Sprintf("%s %s", Count(g.N), g.words()))
	}
	return fmt.Sprintf("%s upstreams: %s", Count(len(v.Upstreams)), strings.Join(parts, ", "))
}

// Detail is the rest of what the process waits for, if it has one upstream.
func (v *View) Detail() string {
	if len(v.Upstreams) != 1 {
		return ""
	}
	return Detail(v.Upstreams[0].Waiting)
}

// Title is the state in a few words.
func (v *View) Title() string {
	if !v.Ready() {
		return "■ not ready: feedgate"
	}
	return fmt.Sprintf("%s %s/s: feedgate", map[Level]string{Fault: "■", Busy: "▲", Well: "●"}[v.Level()], v.Incoming.Short())
}

// Detail returns the words of what an upstream waits for that follow the first ones.
func Detail(waiting string) string {
	_, detail, _ := strings.Cut(waiting, ": ")
	return detail
}

// Sentence is what an upstream does now, without its subject.
func (u *Upstream) Sentence() string {
	switch {
	case u.Stalled != "":
		return "is stalled and waits for " + u.Waiting
	case u.Refusing > 0:
		return fmt.Sprintf("refuses %s msg/s and waits for %s", u.Refusing, u.Waiting)
	}
	return "waits for " + u.Waiting
}

// What returns what an upstream waits for, in a word or two.
func (u *Upstream) What() string {
	switch {
	case u.Stalled != "":
		return "stalled"
	case u.WaitsFor == "acks_unread":
		return "acks to be read"
	case u.WaitsFor == "cpu":
		return "CPU time"
	case u.WaitsFor == "state":
		return "state file"
	}
	return u.WaitsFor
}

// ErrorCount returns the number of all errors.
func (u *Upstream) ErrorCount() (n Count) {
	for _, e := range u.Errors {
		n += e.Total
	}
	return n
}

// StoppedBy names a cause for which reading stops, a value of the label why of
// feedgate_stopped_seconds_total.
func StoppedBy(why string) string {
	switch why {
	case "window":
		return "--in-flight reached"
	case "ring":
		return "workers full"
	case "memory":
		return "--memory used up"
	case "acks_unread":
		return "acks unread"
	case "state":
		return "state file"
	}
	return why
}

// words is what the upstreams of the group do.
func (g Group) words() string {
	switch g.WaitsFor {
	case "stalled":
		return "stalled"
	case "connection":
		return "not connected"
	case "acks_unread":
		return "waiting for servers to read acks"
	case refusing:
		return "refusing messages"
	case "cpu":
		return "waiting for CPU time"
	case "state":
		return "waiting for the state file"
	case "memory":
		return "waiting for memory"
	case "upstream", "":
		return "keeping up"
	}
	return "waiting for the " + g.WaitsFor
}
