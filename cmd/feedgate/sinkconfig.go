package main

import (
	"errors"
	"fmt"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// checkSinks finds the faults of --sink, --dead-letter and the flags that go with them that show
// without opening anything, and reads the credentials.
func (c *runCmd) checkSinks() (sink.Credentials, error) {
	target, err := sinks.Parse("--sink", c.Sink, c.sinkFlags)
	if c.Sink == "" {
		err = fmt.Errorf("--sink: missing; it sets where messages go: %s", sinks.Forms())
	}
	faults := []error{err}
	if c.DeadLetter != "" {
		faults = append(faults, c.checkDeadLetter(target))
	}
	unused := sinks.Unused(c.sinkFlags, c.sinkURLs()...)
	if faults = append(faults, unused...); len(unused) > 0 {
		return sink.Credentials{}, errors.Join(faults...) // files that nothing needs are not read
	}
	credentials, err := flagset.Of[sink.ServerFlags](c.sinkFlags).Load()
	if faults = append(faults, err); err == nil {
		faults = append(faults, credentials.Check(c.sinkTargets()...))
	}
	return credentials, errors.Join(faults...)
}

// checkDeadLetter finds the faults of --dead-letter beside a sink.
func (c *runCmd) checkDeadLetter(beside sink.Target) error {
	if kind := sinks.Kind(c.DeadLetter); kind == nil || !kind.DeadLetters {
		return fmt.Errorf("--dead-letter: %q is not %s", c.DeadLetter, sinks.DeadLetterForms())
	}
	dead, err := sinks.Parse("--dead-letter", c.DeadLetter, c.sinkFlags)
	if beside.SameFile(dead) {
		err = errors.New("--dead-letter: names the file of --sink; each needs one of its own")
	}
	return err
}

// sinkURLs are those of the sinks in use.
func (c *runCmd) sinkURLs() []string {
	urls := []string{c.Sink}
	if c.DeadLetter != "" {
		urls = append(urls, c.DeadLetter)
	}
	return urls
}

// sinkTargets are those of the sinks in use, without those that have a fault.
func (c *runCmd) sinkTargets() (targets []sink.Target) {
	for _, url := range c.sinkURLs() {
		if t, err := sinks.Parse("", url, c.sinkFlags); err == nil {
			targets = append(targets, t)
		}
	}
	return targets
}

// sinkLabel is the part of a sink's URL that may be logged.
func (c *runCmd) sinkLabel(url string) string {
	target, _ := sinks.Parse("", url, c.sinkFlags) // check has found its faults
	return target.Label
}
