package main

import (
	"context"
	"io"
	"runtime"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/admin"
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

// processInfo describes this process, whose log goes to stderr, for the admin address.
func processInfo(stderr io.Writer) *admin.Process {
	name, commit := buildVersion()
	p := &admin.Process{Version: name, Revision: commit, GoVersion: runtime.Version()}
	if w, ok := stderr.(*logWriter); ok {
		p.LogDropped = w.droppedLines.Load
	}
	return p
}
