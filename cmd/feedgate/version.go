package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and revision, the commit, are set by the linker; see Makefile.
var version, revision string

type versionCmd struct{}

// Run prints version, Go version and commit.
func (versionCmd) Run(_ context.Context, g *globals) error {
	name, commit := buildVersion()
	_, err := fmt.Fprintf(g.stdout, "feedgate %s\ngo %s %s/%s\ncommit %s\n",
		name, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
	return err
}

// buildVersion is the version and the commit that the binary was built from, as
// far as the build recorded them.
func buildVersion() (name, commit string) {
	name, commit = version, revision
	if commit == "" {
		commit = "unknown"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name, commit
	}
	if name == "" {
		name = info.Main.Version
	}
	modified := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if modified {
		commit += " (modified)"
	}
	return name, commit
}
