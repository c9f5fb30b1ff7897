package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// waiting is where messages wait that are read and not done.
type waiting struct {
	sink, dead int   // with the handlers of the sink, and of the dead letters
	calls      []int // workers that are in a call of one of them
	deferred   []int // workers whose handler has deferred messages, and that are in none
	rings      int   // in the rings to the workers
	retry      int   // until their next try
	key        int   // behind a message of their key
	unassigned int   // no worker has room for them, or the window is full
}

// waiting is where messages wait now.
func (l *loop) waiting() waiting {
	var all waiting
	for i, w := range l.workers {
		at := w.Waits()
		// Of a worker that runs, numbers are read one after the other.
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

// describe names the places, the sinks by their labels. Workers are numbered as in the metrics.
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
	add(w.retry, "for another try")
	add(w.key, "for one of their key")
	add(w.unassigned, "for room in rings or in flight")
	return strings.Join(places, ", ")
}

// maxWorkersNamed is how many workers a text names at most.
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
