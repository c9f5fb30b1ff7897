package flagset

import (
	"errors"
	"slices"
	"testing"
)

type colours struct {
	Red  string   `name:"red"`
	Blue []string `name:"blue"`
}

type sizes struct {
	Large bool `name:"large"`
}

func TestGroups(t *testing.T) {
	f := New(colours{}, &sizes{}, colours{})
	if n := len(f.Groups()); n != 2 {
		t.Fatalf("%d groups, want one for each type", n)
	}
	f.Groups()[0].(*colours).Red = "dark"
	if got := Of[colours](f).Red; got != "dark" {
		t.Errorf("red is %q", got)
	}
	if Of[sizes](f).Large || Of[sizes](nil).Large || Of[struct{ N int }](f).N != 0 {
		t.Error("what is not given is not zero")
	}
	if New(colours{}).Groups()[0].(*colours).Red != "" || len((*Flags)(nil).Groups()) != 0 {
		t.Error("two command lines share their values")
	}
}

func TestUnused(t *testing.T) {
	f := New(colours{}, sizes{})
	*f.Groups()[0].(*colours) = colours{Red: "dark", Blue: []string{"light"}}
	none := func(any) bool { return false }
	takers := func(any) string { return Takers([]string{"a:", "b:"}, []string{"c:"}) }
	want := []string{"--red: goes with a: and b:, not with c:", "--blue: goes with a: and b:, not with c:"}
	var got []string
	for _, err := range f.Unused(none, takers) {
		got = append(got, err.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	f.Groups()[1].(*sizes).Large = true
	used := func(group any) bool { return Has([]any{colours{}}, group) }
	if faults := f.Unused(used, takers); len(faults) != 1 || errors.Join(faults...).Error() != "--large: goes with a: and b:, not with c:" {
		t.Errorf("%v", faults)
	}
	if Takers([]string{"a:"}, nil) != "a:" {
		t.Error("words about nothing in use")
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, group := range map[string]any{
		"no name": struct{ A string }{},
		"a default": struct {
			A string `name:"a" default:"b"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			New(group)
		}()
	}
}
