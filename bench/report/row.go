package report

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"feedgate/bench"
)

// subject returns the label of a row's subject.
func subject(r *bench.Row) string { return label(r.Subject) }

// label returns the name of a subject, cleaned and shortened. Of NAME@PATH it keeps the end of the
// path without what the executables of all builds have in common.
func label(subject string) string {
	text := clean(subject)
	name, path, ok := strings.Cut(text, "@")
	if !ok || utf8.RuneCountInString(text) <= maxName {
		return shorten(text)
	}
	for _, common := range []string{"/feedgate-bench", "/feedgate", "/bin"} {
		path = strings.TrimSuffix(path, common)
	}
	short := []rune(name + "@" + path)
	if over := len(short) - maxName; over > 0 {
		if len([]rune(name))+over+2 >= len(short) {
			return shorten(text)
		}
		rest := []rune(path)
		short = []rune(name + "@…" + string(rest[over+1:]))
	}
	return string(short)
}

// name returns the subject, with a mark if the row is not sound.
func name(r *bench.Row) string {
	if !r.Sound() {
		return subject(r) + "!"
	}
	return subject(r)
}

// pointers returns pointers to rows.
func pointers(rows []bench.Row) []*bench.Row {
	all := make([]*bench.Row, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}

// rounds describes the number of rounds of rows.
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

// maxFaults is how many faults of a row are shown at most.
const maxFaults = 3

// complaint returns the faults of a row that is not sound. file is its label, "" if there is only one.
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
