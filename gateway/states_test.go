package gateway

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var writeDocs = flag.Bool("states.write", false, "write the tables of states.go and timers.go to docs/design.md")

// each calls f with every state of a set.
func (set stateSet) each(f func(state)) {
	for s := range stateCount {
		if set.has(s) {
			f(s)
		}
	}
}

func (set stateSet) String() string {
	switch set {
	case anyState:
		return "any"
	case sends:
		return "all that send"
	case decodes:
		return "all that dispatch"
	}
	var names []string
	set.each(func(s state) { names = append(names, s.String()) })
	return strings.Join(names, ", ")
}

// TestTransitionsAreUnambiguous: the rows for a state and an event have different guards, and only
// the last one has none, so that exactly one applies. The states of a row exist.
func TestTransitionsAreUnambiguous(t *testing.T) {
	type key struct {
		s state
		e event
	}
	rows := make(map[key][]*transition)
	for i := range transitions {
		row := &transitions[i]
		if row.from == 0 || row.from>>stateCount != 0 || row.on >= eventCount || row.to > same {
			t.Errorf("row %d, %v: a state or event that does not exist", i, row.on)
		}
		if (row.do == nil) != (row.doc == "") {
			t.Errorf("row %d, %v: its doc is %q", i, row.on, row.doc)
		}
		row.from.each(func(s state) { rows[key{s, row.on}] = append(rows[key{s, row.on}], row) })
	}
	for k, of := range rows {
		guards := make(map[*guard]bool)
		for i, row := range of {
			if guards[row.when] || (row.when == nil) != (i == len(of)-1) {
				t.Errorf("%v, %v: row %d of %d is never taken, or is missing", k.s, k.e, i+1, len(of))
			}
			guards[row.when] = true
		}
	}
}

// TestStatesAreReachedAndEnd: every state can be reached from offline, and offline, where the loop
// can end, from every state.
func TestStatesAreReachedAndEnd(t *testing.T) {
	for s := range stateCount {
		if !reachable(offline).has(s) {
			t.Errorf("%v is never reached", s)
		}
		if !reachable(s).has(offline) {
			t.Errorf("%v has no end", s)
		}
		if s > dialing && !(sends | lingers).has(s) {
			t.Errorf("%v has a socket, and neither sends nor lingers", s)
		}
	}
}

func reachable(from state) stateSet {
	set := in(from)
	for before := stateSet(0); before != set; {
		before = set
		for i := range transitions {
			if row := &transitions[i]; row.from&set != 0 && row.to != same {
				set |= in(row.to)
			}
		}
	}
	return set
}

// transitionLog records which rows of the table were used in which state.
type transitionLog struct {
	t    *testing.T
	left map[string]bool // not taken yet
}

func rowName(s state, row *transition) string {
	name := fmt.Sprintf("%v: %v", s, row.on)
	if row.when != nil {
		name += ", if " + row.when.name
	}
	return name
}

// newTransitionLog expects all rows in all their states, except those for which except returns
// true.
func newTransitionLog(t *testing.T, except func(s state, row *transition) bool) *transitionLog {
	c := &transitionLog{t, make(map[string]bool)}
	for i := range transitions {
		row := &transitions[i]
		row.from.each(func(s state) {
			if except == nil || !except(s, row) {
				c.left[rowName(s, row)] = true
			}
		})
	}
	return c
}

// observe is for conn.observe. An event without a row is an error in the table.
func (c *transitionLog) observe(s state, e event, row int) {
	if row < 0 {
		c.t.Errorf("%v: there is no row for %q", s, e)
		return
	}
	delete(c.left, rowName(s, &transitions[row]))
}

// reportMissing reports the rows that were not used.
func (c *transitionLog) reportMissing(seeds uint64) {
	for name := range c.left {
		c.t.Errorf("%d seeds do not get to %s", seeds, name)
	}
}

// TestTransitionsHappen: random schedules use every row of the table in each of its states, and
// never raise an event without a row.
func TestTransitionsHappen(t *testing.T) {
	const most = 50_000
	c := newTransitionLog(t, nil)
	seed := uint64(0)
	for ; seed < most && len(c.left) > 0 && !t.Failed(); seed++ {
		runSchedule(t, seed, func(l *loop) { l.conn.observe = c.observe })
	}
	t.Logf("%d seeds", seed)
	c.reportMissing(seed)
}

// TestSimulatedTransitions: the simulation uses every row that applies to FG/1.
func TestSimulatedTransitions(t *testing.T) {
	if testing.Short() {
		t.Skip("some rows are rare; make sim, or the test without -short, gets to them")
	}
	const most = 50_000
	c := newTransitionLog(t, func(s state, row *transition) bool {
		switch {
		case in(stopSent, stopAnswered).has(s), row.to == stopSent, row.when == eofCloses,
			row.on == evRefused, row.on == evEndOfStream, row.on == evAllSent, row.on == evCloseSendFailed:
			return true // FG/1 has none of it
		case s == login && row.on == evProtocolError, s == closeWait && !in(closeReply, offline).has(row.to) && row.on != evDrain:
			return true // the server keeps to the protocol, and the decoder stops behind its close
		}
		return s == closeReply && row.on == evSendFailed && row.when == nil // without a grace, no ack is unsent
	})
	seed := uint64(1)
	for ; seed < most && len(c.left) > 0 && !t.Failed(); seed++ {
		if _, _, err := runSim(seed, false, c.observe); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d seeds", seed)
	c.reportMissing(seed)
}

// TestStatesInDesign: docs/design.md has the current tables.
func TestStatesInDesign(t *testing.T) {
	const file, begin, end = "../docs/design.md", "<!-- from gateway/states.go, timers.go -->\n", "<!-- end -->\n"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(doc, []byte(begin))
	_, after, okEnd := bytes.Cut(rest, []byte(end))
	if !ok || !okEnd {
		t.Fatalf("%s has no %q, or no %q behind it", file, begin, end)
	}
	want := slices.Concat(before, []byte(begin), stateDocs(), []byte(end), after)
	if *writeDocs {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(doc, want) {
		t.Errorf("%s differs from the code: go test ./gateway -run TestStatesInDesign -states.write", file)
	}
}

// stateDocs renders the tables.
func stateDocs() []byte {
	var b bytes.Buffer
	does := []struct {
		name string
		in   stateSet
	}{{"sends", sends}, {"reads", reads}, {"dispatches", decodes}, {"has an idle clock", receives}, {"closes once all is acked", finishes}, {"discards", lingers}}
	b.WriteString("| state | means | what it does |\n| --- | --- | --- |\n")
	for s := range stateCount {
		var list []string
		for _, d := range does {
			if d.in.has(s) {
				list = append(list, d.name)
			}
		}
		fmt.Fprintf(&b, "| %v | %s | %s |\n", s, stateTable[s].means, strings.Join(list, ", "))
	}
	b.WriteString("\n| in | on | does | then |\n| --- | --- | --- | --- |\n")
	for i := range transitions {
		row := &transitions[i]
		on, then, does := row.on.String(), "stays", row.doc
		if row.when != nil {
			on += ", if " + row.when.name
		}
		if row.to != same {
			then = row.to.String()
		}
		if row.do == nil {
			does = "nothing"
		}
		fmt.Fprintf(&b, "| %v | %s | %s | %s |\n", row.from, on, does, then)
	}
	b.WriteString("\n| timer | runs in |\n| --- | --- |\n")
	for _, timers := range [][]timer{loopTimers, connTimers} {
		for i := range timers {
			fmt.Fprintf(&b, "| %s | %v |\n", timers[i].name, timers[i].in)
		}
	}
	return b.Bytes()
}
