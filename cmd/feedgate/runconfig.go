package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/admin"
	"feedgate/gateway/fleet"
	"feedgate/worker"
)

// secrets are what the gateways of one process prove who they are with.
type secrets struct {
	token []byte
	tls   *gateway.TLS
}

// check looks for the faults of the command line that can be seen before
// anything is opened, and returns the secrets.
func (c *runCmd) check() (s secrets, err error) {
	var faults []error
	if c.TokenFile != "" {
		s.token, err = readToken(c.TokenFile)
		faults = append(faults, err)
	}
	s.tls, err = c.load()
	faults = append(faults, err)
	faults = append(faults, checkAddress(c.Admin))
	if path, ok := strings.CutPrefix(c.DeadLetter, "file:"); c.DeadLetter != "" && (!ok || path == "") {
		faults = append(faults, fmt.Errorf("--dead-letter: %q is not file:PATH", c.DeadLetter))
	} else if ok && c.DeadLetter == c.Sink {
		faults = append(faults, errors.New("--dead-letter: names the file of --sink; each needs one of its own"))
	}
	finds := false
	for i, url := range c.URL {
		if c.State != "" && slices.Contains(c.URL[:i], url) {
			faults = append(faults, fmt.Errorf("--state: keeps one place for each URL, but %s is there twice", admin.Label(url)))
		}
		cfg := c.config(url, s, nil)
		cfg.Sink = worker.Each(nil) // the real one is not open yet
		if fleet.Named(url) {
			finds = true
			all := c.fleet(cfg)
			faults = append(faults, at(admin.Label(url), all.Validate()))
			continue
		}
		faults = append(faults, at(admin.Label(url), cfg.Validate()))
	}
	if len(c.NSQLookupd) > 0 && !finds {
		faults = append(faults, errors.New("--nsqlookupd: goes with nsq:///TOPIC/CHANNEL, a URL without a host"))
	}
	if err := errors.Join(faults...); err != nil {
		return secrets{}, usageError{err}
	}
	return s, nil
}

// at puts an upstream in front of those lines of an error that name no flag.
func at(label string, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "--") {
			lines[i] = label + ": " + line
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// fleet is the fleet.Config for a URL whose servers are to be found.
func (c *runCmd) fleet(cfg gateway.Config) fleet.Config {
	return fleet.Config{Gateway: cfg, Lookupd: c.NSQLookupd}
}

// config is the gateway.Config for one URL.
func (c *runCmd) config(url string, s secrets, log *slog.Logger) gateway.Config {
	return gateway.Config{
		URL: url,

		Workers:  int(c.Workers),
		Dispatch: c.Dispatch,
		Key:      c.Key,
		Ring:     int(c.Ring),

		FlushMax:  int(c.FlushMax),
		FlushPack: c.FlushPack,

		Ack:         c.Ack,
		AckInterval: time.Duration(c.AckInterval),

		MaxMessage: int64(c.MaxMessage),
		InFlight:   int(c.InFlight),
		Memory:     int64(c.Memory),

		Retries:  c.Retries,
		RetryMin: time.Duration(c.RetryMin),

		Heartbeat:      time.Duration(c.Heartbeat),
		IdleTimeout:    time.Duration(c.IdleTimeout),
		ConnectTimeout: time.Duration(c.ConnectTimeout),
		WriteTimeout:   time.Duration(c.WriteTimeout),
		ReconnectMin:   time.Duration(c.ReconnectMin),
		ReconnectMax:   time.Duration(c.ReconnectMax),
		DrainTimeout:   time.Duration(c.DrainTimeout),

		ExitOnClose: c.ExitOnClose,
		ClientName:  c.ClientName,
		Token:       s.token,
		TLS:         s.tls,

		Frame:             c.Frame,
		Hello:             c.Hello,
		AckTemplate:       c.AckTemplate,
		HeartbeatTemplate: c.HeartbeatTemplate,
		IgnorePrefix:      c.IgnorePrefix,
		Assemble:          c.Assemble,

		WSHeaders:     c.WSHeader,
		WSSubprotocol: c.WSSubprotocol,
		WSOrigin:      c.WSOrigin,

		Log: log,
	}
}
