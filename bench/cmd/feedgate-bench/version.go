package main

import "feedgate/cmd/feedgate/cli"

// version and revision, the commit, are set by the linker; see Makefile.
var version, revision string

type versionCmd struct{}

// Run prints version, Go version and commit.
func (versionCmd) Run(g *globals) error {
	return cli.WriteVersion(g.stdout, benchProgram, version, revision)
}

// benchProgram is the name of this program.
const benchProgram = "feedgate-bench"
