package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// waiting counts the messages that are read and not done, by where they wait.
type waiting struct {
	sink, dead int   // with the handlers of the sink and of the dead letters
	calls      []int // workers in a call of such a handler
	deferred   []int // workers not in a call, whose handler has deferred messages
	rings      int   // in the rings to the workers
	retry      int   // for a retry
	key        int   // behind an earlier message of their key
	unassigned int   // for space in rings or in the window
}

// waiting returns where messages wait now.
func (l *loop) waiting() waiting {
	var all waiting
	for i, w := range l.workers {
		at := w.Waits()
		// The numbers of a running worker are not read atomically.
		sink := max(0, l.outstanding[i]-at.Ring-at.Retry-at.Key-at.Dead)
		all.sink += sink
		all.dead += at.Dead
		all.rings += at.Ring
		all.retry += at.Retry
		all.key += at.Key
		switch {
		case sink+at.Dead == 0:
		case at.Busy:
			all.calls = append(all.calls, i)
		default:
			all.deferred = append(all.deferred, i)
		}
	}
	all.unassigned = len(l.receiver.input.Msgs) - l.receiver.next
	return all
}

func (w *waiting) total() int {
	return w.sink + w.dead + w.rings + w.retry + w.key + w.unassigned
}

// describe lists the places in words. sink and dead are the labels of the sinks; workers are numbered
// as in the metrics.
func (w *waiting) describe(sink, dead string) string {
	var places []string
	add := func(n int, where string) {
		if n > 0 {
			places = append(places, strconv.Itoa(n)+" "+where)
		}
	}
	var by []string
	if len(w.calls) > 0 {
		by = append(by, "in a call by "+workerNames(w.calls))
	}
	if len(w.deferred) > 0 {
		by = append(by, "deferred by "+workerNames(w.deferred))
	}
	who := " (" + strings.Join(by, "; ") + ")"
	if w.dead == 0 {
		add(w.sink, "for "+sink+who)
	} else {
		add(w.sink, "for "+sink)
		add(w.dead, "for dead letters in "+dead+who)
	}
	add(w.rings, "in rings")
	add(w.retry, "for a retry")
	add(w.key, "behind an earlier message of their key")
	add(w.unassigned, "for space in rings or in flight")
	return strings.Join(places, ", ")
}

// maxWorkersNamed is the most workers that a text names.
const maxWorkersNamed = 8

func workerNames(all []int) string {
	names := make([]string, 0, maxWorkersNamed)
	for _, i := range all[:min(len(all), maxWorkersNamed)] {
		names = append(names, strconv.Itoa(i))
	}
	text := "worker " + strings.Join(names, ", ")
	if more := len(all) - maxWorkersNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
