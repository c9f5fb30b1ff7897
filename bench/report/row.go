package report

import (
	"cmp"
	"fmt"
	"strings"

	"feedgate/bench"
)

// subject is a row's subject as it is shown.
func subject(r *bench.Row) string { return shorten(clean(r.Subject)) }

// name is the subject with a mark when the row is not to be trusted.
func name(r *bench.Row) string {
	if !r.Sound() {
		return subject(r) + "!"
	}
	return subject(r)
}

// pointers is rows as they are passed around here.
func pointers(rows []bench.Row) []*bench.Row {
	all := make([]*bench.Row, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}

// rounds is how many rounds stand behind rows, in words.
func rounds(rows []*bench.Row) string {
	least, most := rows[0].Rounds, rows[0].Rounds
	for _, r := range rows {
		least, most = min(least, r.Rounds), max(most, r.Rounds)
	}
	if least < most {
		return fmt.Sprintf("%d to %s", least, count(most, "round"))
	}
	return count(most, "round")
}

// maxFaults is the most faults of a row that are shown.
const maxFaults = 3

// complaint is what is wrong with a row that is not sound. file is its label where
// there are several, or empty.
func complaint(file string, r *bench.Row) string {
	var acks, all parts
	acks.add(r.Missing > 0, "%d missing", r.Missing)
	acks.add(r.Duplicate > 0, "%d doubled", r.Duplicate)
	acks.add(r.Unknown > 0, "%d unknown", r.Unknown)
	all.add(len(acks) > 0, "acks: %s", acks)
	for _, fault := range r.Faults[:min(len(r.Faults), maxFaults)] {
		all.add(true, "%s", cmp.Or(clean(fault), "a fault without a text"))
	}
	all.add(len(r.Faults) > maxFaults, "%s more", count(len(r.Faults)-maxFaults, "fault"))
	return strings.TrimRight("! "+file, " ") + " " + subject(r) + ": " + strings.Join(all, "; ")
}
