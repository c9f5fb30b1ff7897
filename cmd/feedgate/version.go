package main

import (
	"context"
	"fmt"
	"runtime"

	"feedgate/internal/cli"
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

// buildVersion is the version and the commit that the binary was built from.
func buildVersion() (name, commit string) { return cli.Version(version, revision) }
