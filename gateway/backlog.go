package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// backlog counts the messages that are read and not done, by where they wait.
type backlog struct {
	sink, dead int   // with the handlers of the sink and of the dead letters
	calls      []int // workers in a call of such a handler
	deferred   []int // workers not in a call, whose handler has deferred messages
	rings      int   // in the rings to the workers
	retry      int   // for a retry
	key        int   // behind an earlier message of their key
	unassigned int   // for space in rings or in the window
}

// backlog returns where messages wait now.
func (l *loop) backlog() backlog {
	var all backlog
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

func (b *backlog) total() int {
	return b.sink + b.dead + b.rings + b.retry + b.key + b.unassigned
}

// describe lists the places in words. sink and dead are the labels of the sinks; workers are numbered
// as in the metrics.
func (b *backlog) describe(sink, dead string) string {
	var places []string
	add := func(n int, where string) {
		if n > 0 {
			places = append(places, strconv.Itoa(n)+" "+where)
		}
	}
	var by []string
	if len(b.calls) > 0 {
		by = append(by, "in a call by "+workerNames(b.calls))
	}
	if len(b.deferred) > 0 {
		by = append(by, "deferred by "+workerNames(b.deferred))
	}
	who := " (" + strings.Join(by, "; ") + ")"
	if b.dead == 0 {
		add(b.sink, "for "+sink+who)
	} else {
		add(b.sink, "for "+sink)
		add(b.dead, "for dead letters in "+dead+who)
	}
	add(b.rings, "in rings")
	add(b.retry, "for a retry")
	add(b.key, "behind an earlier message of their key")
	add(b.unassigned, "for space in rings or in flight")
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
