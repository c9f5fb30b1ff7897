package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/gateway/discovery"
	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
)

// secrets are the credentials that the gateways of one process share, and those of its sinks.
type secrets struct {
	token *credential.Secret // nil: none
	tls   *credential.TLS
	sink  sink.Credentials
}

// check finds the faults of the command line that show before anything is opened. It
// returns the secrets, and the configurations that would run, defaults included.
func (c *runCmd) check() (s secrets, planned []gateway.Config, err error) {
	var faults []error
	if c.TokenFile != "" {
		token, err := credential.ReadSecret("--token-file", c.TokenFile)
		faults = append(faults, err)
		s.token = credential.NewSecret(token)
	}
	s.tls, err = c.load()
	faults = append(faults, err)
	faults = append(faults, checkAddress(c.Admin))
	s.sink, err = c.checkSinks()
	faults = append(faults, err)
	planned, err = c.checkUpstreams(s)
	if err := errors.Join(append(faults, err)...); err != nil {
		return secrets{}, nil, cli.Usage(err)
	}
	return s, planned, nil
}

// checkUpstreams finds the faults of each URL and of the flags that go with it.
func (c *runCmd) checkUpstreams(s secrets) (planned []gateway.Config, err error) {
	var faults []error
	var used []wire.Upstream
	labels := uniqueLabels(c.URL)
	for i, url := range c.URL {
		u, err := protocols.Parse(url, c.flags)
		if u.Scheme != nil {
			used = append(used, u)
		}
		cfg := c.config(u, labels[i], s, nil)
		cfg.Sink = worker.Each(nil) // the real one is not open yet
		if err != nil {
			cfg.Protocol = nil // the other faults are found all the same
		}
		if u.Discover != nil && err == nil {
			group := discovery.Config{Gateway: cfg, Discover: u.Discover}
			err = group.Validate()
			cfg = group.Gateway
		} else {
			err = errors.Join(err, cfg.Validate())
		}
		faults = append(faults, at(labels[i], err))
		if c.State != "" {
			faults = append(faults, checkState(planned, cfg))
		}
		planned = append(planned, cfg)
	}
	if len(used) == len(c.URL) {
		faults = append(faults, protocols.Unused(c.flags, used)...)
	}
	return planned, errors.Join(faults...)
}

// checkState says which of the others could find the session that cfg's upstream has in the
// state file.
func checkState(others []gateway.Config, cfg gateway.Config) error {
	for _, other := range others {
		if other.URL == cfg.URL || gateway.SameSession(other, cfg) {
			return fmt.Errorf("--state: %s and %s could find the same session; it is that of a scheme, a path and one of its hosts",
				gateway.Label(other.URL), gateway.Label(cfg.URL))
		}
	}
	return nil
}

// reloadToken rereads the secret. If the upstreams cannot use it, the old one stays.
func (c *runCmd) reloadToken(s secrets) error {
	token, err := credential.ReadSecret("--token-file", c.TokenFile)
	if err != nil {
		return err
	}
	if _, err := c.checkUpstreams(secrets{token: credential.NewSecret(token), tls: s.tls}); err != nil {
		return err
	}
	s.token.Set(token)
	return nil
}

// at puts an upstream's label in front of each line of err that names no flag.
func at(label string, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 1 { // the fault of the URL is there, too
		lines = slices.DeleteFunc(lines, func(line string) bool { return line == gateway.ErrNoProtocol.Error() })
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "--") {
			lines[i] = label + ": " + line
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// dataOnly reports whether the sinks read nothing of messages but their data.
func (c *runCmd) dataOnly() bool {
	target, _ := sinks.Parse("--sink", c.Sink, c.sinkFlags) // checkSinks reports faults
	dead, _ := sinks.Parse("--dead-letter", c.DeadLetter, c.sinkFlags)
	return !target.UsesMeta && !dead.UsesMeta
}

// workers is the number of workers: the sink's default if none was given, and 0 for the
// gateway's.
func (c *runCmd) workers() int {
	if c.Workers == 0 {
		target, _ := sinks.Parse("--sink", c.Sink, c.sinkFlags) // checkSinks reports faults
		return target.Workers
	}
	return int(c.Workers)
}

// key is what --key picks, under --dispatch key; nil: nothing.
func (c *runCmd) key() *worker.Selector {
	if c.Dispatch != "key" {
		return nil
	}
	s, err := worker.ParseSelector(c.Key)
	if err != nil {
		return nil // check has found it
	}
	return &s
}

// uniqueLabels are the labels of all URLs. Those that differ in what a label does not show,
// such as the query, are told apart by #2 and so on from the second on.
func uniqueLabels(urls []string) []string {
	all := make([]string, len(urls))
	times := make(map[string]int)
	for i, url := range urls {
		all[i] = gateway.Label(url)
		times[all[i]]++
		if n := times[all[i]]; n > 1 {
			all[i] += "#" + strconv.Itoa(n)
		}
	}
	return all
}

// config is the gateway.Config for one upstream.
func (c *runCmd) config(u wire.Upstream, label string, s secrets, log *slog.Logger) gateway.Config {
	return gateway.Config{
		URL:      u.URL,
		Label:    label,
		Protocol: u.Protocol,
		Hosts:    u.Hosts,
		Secure:   u.Secure,

		Workers:  c.workers(),
		Dispatch: c.Dispatch,
		Key:      c.Key,
		ID:       c.ID,
		Output:   c.Output,
		DataOnly: c.dataOnly(),
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

		Heartbeat:       time.Duration(c.Heartbeat),
		IdleTimeout:     time.Duration(c.IdleTimeout),
		ConnectTimeout:  time.Duration(c.ConnectTimeout),
		WriteTimeout:    time.Duration(c.WriteTimeout),
		ReconnectMin:    time.Duration(c.ReconnectMin),
		ReconnectMax:    time.Duration(c.ReconnectMax),
		ConnectAttempts: c.ConnectAttempts,
		DrainTimeout:    time.Duration(c.DrainTimeout),
		StallAfter:      time.Duration(c.StallAfter),
		SinkLabel:       c.sinkLabel(c.Sink),
		DeadLetterLabel: c.sinkLabel(c.DeadLetter),

		ExitOnClose: c.ExitOnClose,
		ClientName:  c.ClientName,
		Token:       s.token,
		TLS:         s.tls,

		Log: log,
	}
}
