package sink

import (
	"fmt"
	"slices"
	"strings"

	"feedgate/worker/flagset"
)

// ServerGroup is the key of the group of [ServerFlags] in the help; [Registry.ServerTitle] is its
// heading.
const ServerGroup = "sink"

// NewFlags returns the flags of all kinds, unset, [ServerFlags] first.
func (r Registry) NewFlags() *flagset.Flags {
	groups := []any{ServerFlags{}}
	for _, k := range r {
		groups = append(groups, k.Flags...)
	}
	return flagset.New(groups...)
}

// Unused returns an error for each flag that is given although no sink in use takes it; urls are
// those of the sinks in use. If the kind of one is unknown, so are its flags, and there is no
// error.
func (r Registry) Unused(flags *flagset.Flags, urls ...string) []error {
	var used []*Kind
	var names []string
	for _, url := range urls {
		kind := r.Kind(url)
		if kind == nil {
			return nil
		}
		scheme, _, _ := strings.Cut(url, ":")
		used = append(used, kind)
		if name := kind.begin(scheme); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	faults := flags.Unused(
		func(group any) bool {
			return slices.ContainsFunc(used, func(k *Kind) bool { return flagset.Has(k.Flags, group) })
		},
		func(group any) string { return r.takers(group, names) })
	return append(faults, r.withoutTLS(flags, urls)...)
}

// takers returns which sinks take a group of flags, and that those in use do not, for an error.
func (r Registry) takers(group any, used []string) string {
	var takers []string
	for i := range r {
		if flagset.Has(r[i].Flags, group) {
			takers = append(takers, r[i].begins()...)
		}
	}
	if len(takers) == 0 {
		takers = []string{"sinks that are servers, of which this version has none"}
	}
	return flagset.Takers(takers, used)
}

// withoutTLS returns an error for each certificate given with a URL without TLS: the connection
// would silently be in plaintext.
func (r Registry) withoutTLS(flags *flagset.Flags, urls []string) (faults []error) {
	f := flagset.Of[ServerFlags](flags)
	for _, url := range urls {
		scheme, _, _ := strings.Cut(url, ":")
		kind := r.Kind(url)
		if !kind.isServer() || slices.Contains(kind.Secure, scheme) {
			continue
		}
		instead := "leave it out"
		if twin := kind.twin(scheme); twin != "" {
			instead = "use " + twin + ", or " + instead
		}
		for _, flag := range [][2]string{{tlsFlags.CA, f.CA}, {tlsFlags.Cert, f.Cert}, {tlsFlags.Key, f.Key}} {
			if flag[1] != "" {
				faults = append(faults, fmt.Errorf("%s: %s has no TLS; %s", flag[0], kind.begin(scheme), instead))
			}
		}
	}
	return faults
}

// twin returns the beginning of URLs with TLS that corresponds to a scheme without it; empty: none.
func (k *Kind) twin(scheme string) string {
	i := slices.Index(k.Schemes, scheme)
	if i < 0 || i >= len(k.Secure) {
		return ""
	}
	return k.begin(k.Secure[i])
}
