package wire

import (
	"slices"

	"feedgate/worker/flagset"
)

// NewFlags returns the flags of all protocols, unset.
func (r Registry) NewFlags() *flagset.Flags {
	var groups []any
	for _, s := range r {
		groups = append(groups, s.Flags...)
		if s.Discovery != nil {
			groups = append(groups, s.Discovery.Flags...)
		}
	}
	return flagset.New(groups...)
}

// Unused returns an error for each flag that is set although none of the upstreams takes it.
func (r Registry) Unused(flags *flagset.Flags, used []Upstream) []error {
	return flags.Unused(
		func(group any) bool {
			return slices.ContainsFunc(used, func(u Upstream) bool { return u.takes(group) })
		},
		func(group any) string { return r.takers(group, used) })
}

func (u *Upstream) takes(group any) bool {
	always, discovery := u.Scheme.takes(group)
	return always || discovery && len(u.Hosts) == 0
}

// takers names the schemes that take a group of flags, and the schemes in use, which do not.
func (r Registry) takers(group any, used []Upstream) string {
	var takers, others []string
	for _, s := range r {
		switch always, discovery := s.takes(group); {
		case always:
			takers = append(takers, s.Name+"://")
		case discovery:
			return s.Name + "://" + s.Target + ", a URL without a host"
		}
	}
	for _, u := range used {
		if name := u.Scheme.SchemeName(u.Secure) + "://"; !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	return flagset.Takers(takers, others)
}
