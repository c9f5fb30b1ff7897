package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"feedgate/gateway"
)

// probeState returns what keeps run from using the file of --state.
func (c *checkCmd) probeState(ctx context.Context, planned []gateway.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.ConnectTimeout))
	defer cancel()
	return gateway.ProbeState(ctx, c.State, planned)
}

// probeFiles returns what keeps run from writing the files of --sink and --dead-letter, as far as it can be
// seen without opening them. Faults of their URLs are found elsewhere.
func (c *checkCmd) probeFiles(ctx context.Context, g *globals, s secrets) error {
	var faults []error
	for _, file := range [][2]string{{"--sink", c.Sink}, {"--dead-letter", c.DeadLetter}} {
		flag, url := file[0], file[1]
		t, err := sinks.Parse(flag, url, c.sinkFlags)
		if url == "" || err != nil || t.File == "" {
			continue
		}
		if _, err := c.probed(ctx, g, s, flag, url); err != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", flag, c.sinkLabel(url), err))
		}
	}
	return errors.Join(faults...)
}
