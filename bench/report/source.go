package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"feedgate/bench"
)

// Source is a file to report on.
type Source struct {
	Name string // what the reader knows it by, as a rule its path
	File *bench.File
}

// Load reads a file of feedgate bench --out. Its errors name the path.
func Load(path string) (Source, error) {
	file, err := bench.ReadFile(path)
	if err != nil {
		return Source{}, err
	}
	for i := range file.Rows {
		if file.Rows[i].Subject == "" {
			return Source{}, fmt.Errorf("%s: row %d has no subject: not a file of feedgate bench --out", path, i+1)
		}
	}
	return Source{path, file}, nil
}

// fact is one property of the environment.
type fact struct{ Name, Text string }

// facts returns the environment of a file. Unknown facts are left out.
func facts(m *bench.Meta) []fact {
	machine := parts{clean(m.Machine)}
	machine.add(m.Cores > 0, "%s", count(m.Cores, "core"))
	machine.add(m.MemoryMB > 0, "%d MB of memory", m.MemoryMB)
	system := parts{clean(m.Kernel)}
	system.add(m.Congestion != "", "TCP congestion control %s", clean(m.Congestion))
	built := parts{clean(m.Go)}
	built.add(m.Commit != "", "commit %s", clean(m.Commit))
	run := parts{}
	run.add(m.Rounds > 0, "%s", count(m.Rounds, "round"))
	run.add(!m.Began.IsZero(), "begun %s", m.Began.UTC().Format(time.RFC3339))

	var all []fact
	for _, f := range []fact{
		{"machine", machine.String()},
		{"kernel", system.String()},
		{"go", built.String()},
		{"run", run.String()},
		{"command", command(m.Command)},
	} {
		if f.Text != "" {
			all = append(all, f)
		}
	}
	return all
}

// notes returns a file's notes, cleaned.
func notes(m *bench.Meta) []string {
	all := slices.Clone(m.Notes)
	for i := range all {
		all[i] = clean(all[i])
	}
	return all
}

// command quotes a command line for a shell.
func command(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = clean(arg)
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'`$&|;<>()*?\\") {
			words[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(words, " ")
}

// surroundings returns the facts that must be equal for a comparison of files.
func surroundings(m *bench.Meta) []fact {
	return []fact{
		{"machine", fmt.Sprint(m.Machine, m.Cores, m.MemoryMB)},
		{"kernel", m.Kernel},
		{"congestion control", m.Congestion},
		{"Go version", m.Go},
	}
}

// differences returns the names of surroundings that differ between sources.
func differences(sources []Source) []string {
	var names []string
	first := surroundings(&sources[0].File.Meta)
	for i, f := range first {
		if slices.ContainsFunc(sources, func(s Source) bool { return surroundings(&s.File.Meta)[i] != f }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// parts are joined by commas.
type parts []string

func (p *parts) add(known bool, format string, args ...any) {
	if known {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

func (p parts) String() string {
	return strings.Join(slices.DeleteFunc(p, func(s string) bool { return s == "" }), ", ")
}
