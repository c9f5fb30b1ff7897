package main

import (
	"context"

	"feedgate/cmd/feedgate/cli"
)

// version and revision, the commit, are set by the linker, see Makefile.
var version, revision string

type versionCmd struct{}

// Run prints the version, Go version and commit.
func (versionCmd) Run(_ context.Context, g *globals) error {
	return cli.WriteVersion(g.stdout, "feedgate", version, revision)
}

// buildVersion is the version and the commit of this binary.
func buildVersion() (name, commit string) { return cli.Version(version, revision) }
