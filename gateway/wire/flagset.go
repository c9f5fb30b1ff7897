package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Flags are the values of the flags of all protocols of a registry: a struct for each group,
// whose fields have the tags of a kong command line. Each field has a tag name.
type Flags struct {
	groups []any // pointers to structs
}

// Grouped is implemented by a struct of flags that has a heading of its own in the help.
type Grouped interface {
	// Group is the key that the tags "group" of its fields name, and the heading.
	Group() (key, title string)
}

// Explained is implemented by a struct of flags that has a paragraph in the help.
type Explained interface{ Help() string }

// Groups are pointers to the structs, in the order of the registry, to be filled in.
func (f *Flags) Groups() []any {
	if f == nil {
		return nil
	}
	return f.groups
}

// FlagsOf is the group of type T; of a nil f, or one without that group, the zero value.
func FlagsOf[T any](f *Flags) T {
	for _, g := range f.Groups() {
		if p, ok := g.(*T); ok {
			return *p
		}
	}
	var none T
	return none
}

// NewFlags is the flags of all protocols, unset.
func (r Registry) NewFlags() *Flags {
	f := &Flags{}
	add := func(groups []any) {
		for _, g := range groups {
			if !slices.ContainsFunc(f.groups, func(known any) bool { return groupOf(known) == groupOf(g) }) {
				f.groups = append(f.groups, reflect.New(groupOf(g)).Interface())
			}
		}
	}
	for _, s := range r {
		add(s.Flags)
		if s.Find != nil {
			add(s.Find.Flags)
		}
	}
	return f
}

// groupOf is the type of a struct of flags, or of a pointer to one.
func groupOf(group any) reflect.Type {
	t := reflect.TypeOf(group)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// given are the flags of a group that are set, by their names.
func given(group any) (names []string) {
	v := reflect.ValueOf(group).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			names = append(names, "--"+v.Type().Field(i).Tag.Get("name"))
		}
	}
	return names
}

// Unused returns an error for each flag that is set and that none of the upstreams takes.
func (r Registry) Unused(flags *Flags, used []Upstream) []error {
	var faults []error
	for _, group := range flags.Groups() {
		names := given(group)
		if len(names) == 0 || slices.ContainsFunc(used, func(u Upstream) bool { return u.takes(group) }) {
			continue
		}
		for _, name := range names {
			faults = append(faults, fmt.Errorf("%s: goes with %s", name, r.takers(group, used)))
		}
	}
	return faults
}

func (u *Upstream) takes(group any) bool {
	always, finding := u.Scheme.takes(group)
	return always || finding && len(u.Hosts) == 0
}

// takers names the schemes that take a group of flags, and those in use, which do not.
func (r Registry) takers(group any, used []Upstream) string {
	var takers, others []string
	for _, s := range r {
		switch always, finding := s.takes(group); {
		case always:
			takers = append(takers, s.Name+"://")
		case finding:
			return s.Name + "://" + s.Target + ", a URL without a host"
		}
	}
	for _, u := range used {
		if name := u.Scheme.SchemeName(u.Secure) + "://"; !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	text := strings.Join(takers, " and ")
	if len(others) > 0 {
		text += ", not with " + strings.Join(others, ", ")
	}
	return text
}
