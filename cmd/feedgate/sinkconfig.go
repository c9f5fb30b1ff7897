package main

import (
	"errors"
	"fmt"
	"strings"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// checkSinks validates --sink, --dead-letter and the flags of sinks without opening a sink, and reads
// the credentials.
func (c *runCmd) checkSinks() (sink.Credentials, error) {
	target, err := sinks.Parse("--sink", c.Sink, c.sinkFlags)
	if c.Sink == "" {
		err = fmt.Errorf("--sink: missing; choose where messages go: %s", sinks.Forms())
	}
	faults := []error{err}
	if c.DeadLetter != "" {
		faults = append(faults, c.checkDeadLetter(target))
	}
	unused := sinks.Unused(c.sinkFlags, c.sinkURLs()...)
	if faults = append(faults, unused...); len(unused) > 0 {
		return sink.Credentials{}, errors.Join(faults...) // without reading files of unused flags
	}
	credentials, err := flagset.Of[sink.ServerFlags](c.sinkFlags).Load()
	if faults = append(faults, err); err == nil {
		faults = append(faults, credentials.Check(c.sinkTargets()...))
	}
	return credentials, errors.Join(faults...)
}

// checkDeadLetter validates --dead-letter; target is that of --sink.
func (c *runCmd) checkDeadLetter(target sink.Target) error {
	if kind := sinks.Kind(c.DeadLetter); kind == nil || !kind.DeadLetters {
		scheme, _, found := strings.Cut(c.DeadLetter, ":") // the rest may be secret
		if found {
			scheme += ":"
		}
		return fmt.Errorf("--dead-letter: %q is not %s", scheme, sinks.DeadLetterForms())
	}
	dead, err := sinks.Parse("--dead-letter", c.DeadLetter, c.sinkFlags)
	if target.SameFile(dead) {
		err = errors.New("--dead-letter: the same file as --sink; choose another one")
	}
	return err
}

// sinkURLs are the URLs of the sinks in use.
func (c *runCmd) sinkURLs() []string {
	urls := []string{c.Sink}
	if c.DeadLetter != "" {
		urls = append(urls, c.DeadLetter)
	}
	return urls
}

// sinkTargets are the targets of the sinks in use, except those with a fault.
func (c *runCmd) sinkTargets() (targets []sink.Target) {
	for _, url := range c.sinkURLs() {
		if t, err := sinks.Parse("", url, c.sinkFlags); err == nil {
			targets = append(targets, t)
		}
	}
	return targets
}

// sinkLabel is a sink's URL without the parts that may be secret.
func (c *runCmd) sinkLabel(url string) string {
	target, _ := sinks.Parse("", url, c.sinkFlags) // checkSinks reports faults
	return target.Label
}
