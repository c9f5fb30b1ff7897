// Package flagset holds the flags that belong to protocols and to sinks. They come in groups:
// structs, which whoever takes a group lists and which several may share. A command line fills
// them in; the packages that take them read them by type, so that nothing else names them.
package flagset

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Flags are the values of a command line's groups of flags, a struct for each. The command
// line fills them in; after that they are read only.
type Flags struct {
	groups []any // pointers to structs
}

// Grouped is implemented by a group that has a heading of its own in the help.
type Grouped interface {
	// Group is the key that the tags "group" of its fields name, and the heading.
	Group() (key, title string)
}

// Explained is implemented by a group that has a paragraph in the help.
type Explained interface{ Help() string }

// New allocates groups, unset: one for each type among those given, which are structs or
// pointers to them. The fields have the tags of a kong command line. One without a tag name, or
// with a tag default, is a mistake of the program and panics: a flag counts as given if it is
// not zero.
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

// Groups are pointers to the structs, in the order of New, to be filled in; of a nil f none.
func (f *Flags) Groups() []any {
	if f == nil {
		return nil
	}
	return f.groups
}

// Of is the group of type T; of a nil f, or one without that group, the zero value.
func Of[T any](f *Flags) T {
	for _, g := range f.Groups() {
		if p, ok := g.(*T); ok {
			return *p
		}
	}
	var none T
	return none
}

// Has reports whether a list has a group, or a pointer to it: values do not matter.
func Has(groups []any, group any) bool {
	return slices.ContainsFunc(groups, func(g any) bool { return typeOf(g) == typeOf(group) })
}

// Unused returns an error for each flag that is given though nothing in use takes its group.
// It begins with the flag; takers says what does take the group, such as "tcp://, not fg://".
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

// Takers are the words of such an error: what takes a group, and what is in use and does not.
func Takers(takers, others []string) string {
	text := strings.Join(takers, " and ")
	if len(others) > 0 {
		text += ", not with " + strings.Join(others, ", ")
	}
	return text
}

// given are the flags of a group that are not zero, by their names.
func given(group any) (names []string) {
	v := reflect.ValueOf(group).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			names = append(names, "--"+v.Type().Field(i).Tag.Get("name"))
		}
	}
	return names
}

// typeOf is the type of a group, or of what a pointer to one points to.
func typeOf(group any) reflect.Type {
	t := reflect.TypeOf(group)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
