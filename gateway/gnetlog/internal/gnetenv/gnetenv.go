// Package gnetenv hides the environment from gnet's logger. When that is initialised, it reads
// variables: a level that is not a number panics, a file is created, and without one it logs to
// standard output, which is for data.
//
// This depends on the order of initialisation. Since Go 1.21, packages are initialised in the
// order of their import paths, each as soon as its imports are. This package imports only os,
// which gnet's logger imports too, and "feedgate/" sorts before "github.com/".
package gnetenv

import "os"

const prefix = "GNET_"

// hidden are the removed variables, "NAME=VALUE".
var hidden = hide()

func hide() []string {
	var all []string
	for _, v := range os.Environ() {
		if len(v) > len(prefix) && v[:len(prefix)] == prefix {
			all = append(all, v)
			name, _ := cut(v)
			os.Unsetenv(name)
		}
	}
	return all
}

// Restore restores the variables, for the children of this process. A package that imports gnet
// calls it, and so after gnet is initialised.
func Restore() {
	for _, v := range hidden {
		name, value := cut(v)
		os.Setenv(name, value)
	}
	hidden = nil
}

// cut is strings.Cut at the equals sign, without an import that would delay the initialisation of
// this package.
func cut(v string) (name, value string) {
	for i := range len(v) {
		if v[i] == '=' {
			return v[:i], v[i+1:]
		}
	}
	return v, ""
}
