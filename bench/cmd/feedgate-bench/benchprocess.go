package main

import (
	"context"
	"os"

	"feedgate/bench"
)

// benchSubjectCmd is a process that bench starts for a run of a subject.
type benchSubjectCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run runs the subject.
func (c *benchSubjectCmd) Run(ctx context.Context, g *globals) error {
	return bench.SubjectMain(ctx, c.Args, os.Stdin, g.stdout)
}

// benchFeedCmd is the process that bench starts for its feed.
type benchFeedCmd struct{}

// Run serves until standard input ends.
func (benchFeedCmd) Run(ctx context.Context, g *globals) error {
	return bench.FeedMain(ctx, os.Stdin, g.stdout)
}

// benchNsqdCmd is the process that bench starts for the feed of NSQ.
type benchNsqdCmd struct{}

// Run serves until standard input ends.
func (benchNsqdCmd) Run(ctx context.Context, g *globals) error {
	return bench.NsqdMain(ctx, os.Stdin, g.stdout)
}

// benchDestinationCmd is the process that bench starts for a destination of a run.
type benchDestinationCmd struct {
	Kind string `arg:""`
}

// Run serves until standard input ends.
func (c *benchDestinationCmd) Run(ctx context.Context, g *globals) error {
	return bench.DestinationMain(ctx, c.Kind, os.Stdin, g.stdout)
}
