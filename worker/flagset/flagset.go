// Package flagset holds the flags of protocols and sinks. A group of flags is a struct. A protocol
// or sink lists the groups that it takes, several may take the same one, and each reads it by its
// type. So the command line, which sets the values, need not name any of them.
package flagset

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Flags holds the values of groups of flags. The command line sets them; after that, they are
// read-only.
type Flags struct {
	groups []any // pointers to structs
}

// Grouped is implemented by groups with a heading of their own in the help.
type Grouped interface {
	// Group returns the key, which is also the tag "group" of the fields, and the heading.
	Group() (key, title string)
}

// Explained is implemented by groups with a paragraph in the help.
type Explained interface{ Help() string }

// New returns Flags with a group for each type in groups, structs or pointers to structs; their
// values are zero. The fields have the tags of github.com/alecthomas/kong. A flag counts as given
// if it is not zero; therefore a tag default, or a missing tag name, panics.
func New(groups ...any) *Flags {
	f := &Flags{}
	for _, g := range groups {
		if Has(f.groups, g) {
			continue
		}
		t := typeOf(g)
		for i := range t.NumField() {
			tag := t.Field(i).Tag
			if _, set := tag.Lookup("default"); set || tag.Get("name") == "" {
				panic(fmt.Sprintf("flagset: field %s of %v needs a tag name and must have no default", t.Field(i).Name, t))
			}
		}
		f.groups = append(f.groups, reflect.New(t).Interface())
	}
	return f
}

// Groups returns pointers to the structs, in the order of New, for setting their fields; none if f
// is nil.
func (f *Flags) Groups() []any {
	if f == nil {
		return nil
	}
	return f.groups
}

// Of returns the group of type T. It returns the zero value if f is nil or has no such group.
func Of[T any](f *Flags) T {
	for _, g := range f.Groups() {
		if p, ok := g.(*T); ok {
			return *p
		}
	}
	var none T
	return none
}

// Has reports whether groups has one of the type of group. Pointers count as their structs.
func Has(groups []any, group any) bool {
	return slices.ContainsFunc(groups, func(g any) bool { return typeOf(g) == typeOf(group) })
}

// Unused returns an error for each flag that is given although used returns false for its group.
// The error begins with the flag, and ends with what takers returns, such as "tcp://, not with
// fg://".
func (f *Flags) Unused(used func(group any) bool, takers func(group any) string) []error {
	var faults []error
	for _, group := range f.Groups() {
		names := given(group)
		if len(names) == 0 || used(group) {
			continue
		}
		for _, name := range names {
			faults = append(faults, fmt.Errorf("%s: goes with %s", name, takers(group)))
		}
	}
	return faults
}

// Takers returns the end of such an error, from the takers of a group and the others, which are in
// use and do not take it.
func Takers(takers, others []string) string {
	text := strings.Join(takers, " and ")
	if len(others) > 0 {
		text += ", not with " + strings.Join(others, ", ")
	}
	return text
}

// given returns the names of the flags of a group that are not zero.
func given(group any) (names []string) {
	v := reflect.ValueOf(group).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			names = append(names, "--"+v.Type().Field(i).Tag.Get("name"))
		}
	}
	return names
}

// typeOf returns the type of a group or of a pointer to one.
func typeOf(group any) reflect.Type {
	t := reflect.TypeOf(group)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
