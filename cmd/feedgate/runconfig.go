package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"feedgate/worker/selector"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/gateway/discovery"
	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
)

// secrets are the credentials of the gateways, which share them, and of the sinks.
type secrets struct {
	token *credential.Secret // nil: none
	tls   *credential.TLS
	sink  sink.Credentials
}

// prepare makes what is to run from the flags, for run and for check. It opens nothing but credential
// files. report logs what the settings lead to, and what is odd about them. Its error has a line for each
// fault.
func (c *runCmd) prepare(g *globals) (s secrets, planned []gateway.Config, report func(*slog.Logger), err error) {
	if len(c.URL) == 0 {
		c.URL, c.urlOrigins = g.settings.upstreams()
	}
	var missing error
	if len(c.URL) == 0 {
		missing = errors.New("no URL: name the feed server, as in feedgate run fg://HOST:PORT --sink exec:./handle")
	}
	reportMaxprocs := c.Maxprocs.set() // before the gateways: GOMAXPROCS is their default of --workers
	c.plan = c.planMemory()
	c.Memory = cli.Size(c.plan.memory)
	if s, planned, err = c.check(); err != nil || missing != nil {
		return secrets{}, nil, nil, cli.Usage(errors.Join(missing, err))
	}
	c.plan.addOverhead(planned, c.DeadLetter != "")
	reportMemory := c.plan.apply()
	return s, planned, func(log *slog.Logger) {
		reportMaxprocs(log)
		reportMemory(log)
		g.settings.warnUnknown(log)
	}, nil
}

// check validates the settings without opening anything but credential files. It returns the secrets
// and the configuration of each upstream, defaults included. Its error has a line for each fault.
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

// checkUpstreams validates each URL with its flags.
func (c *runCmd) checkUpstreams(s secrets) (planned []gateway.Config, err error) {
	var faults []error
	var used []wire.Upstream
	labels := uniqueLabels(c.URL)
	for i, url := range c.URL {
		u, err := protocols.Parse(url, c.flags)
		err = errors.Join(err, urlFault(url))
		if u.Scheme != nil {
			used = append(used, u)
		}
		cfg := c.config(u, labels[i], s, nil)
		cfg.Sink = worker.Each(nil) // a placeholder: the sink is not open yet
		if err != nil {
			cfg.Protocol = nil // Validate still finds the other faults
		}
		if u.Discover != nil && err == nil {
			group := discovery.Config{Gateway: cfg, Discover: u.Discover}
			err = gateway.ByFlag(group.Validate())
			cfg = group.Gateway
		} else {
			err = errors.Join(err, gateway.ByFlag(cfg.Validate()))
		}
		faults = append(faults, labelled(labels[i], err))
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

// checkState returns an error if cfg could find the session of one of the others in the state file.
func checkState(others []gateway.Config, cfg gateway.Config) error {
	for _, other := range others {
		if other.URL == cfg.URL || gateway.SameSession(other, cfg) {
			return fmt.Errorf("--state: %s and %s would share a session, which is found by scheme, path and any one of the hosts",
				gateway.Label(other.URL), gateway.Label(cfg.URL))
		}
	}
	return nil
}

// reloadToken rereads the token. On an error, the old one stays in use.
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

// labelled prefixes an upstream's label to each line of err that does not name a flag.
func labelled(label string, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 1 { // another line has the reason
		lines = slices.DeleteFunc(lines, func(line string) bool { return line == gateway.ErrNoProtocol.Error() })
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "--") {
			lines[i] = label + ": " + line
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// sinkMeta returns the names of metadata in the sink's URL.
func (c *runCmd) sinkMeta() []string {
	target, _ := sinks.Parse("--sink", c.Sink, c.sinkFlags) // checkSinks reports faults
	return target.Meta
}

// dataOnly reports whether the sinks use the data of messages only, not their metadata.
func (c *runCmd) dataOnly() bool {
	target, _ := sinks.Parse("--sink", c.Sink, c.sinkFlags) // checkSinks reports faults
	dead, _ := sinks.Parse("--dead-letter", c.DeadLetter, c.sinkFlags)
	return !target.UsesMeta && !dead.UsesMeta
}

// workers is the number of workers: --workers, else the sink's default; 0: the gateway's default.
func (c *runCmd) workers() int {
	if c.Workers == 0 {
		target, _ := sinks.Parse("--sink", c.Sink, c.sinkFlags) // checkSinks reports faults
		return target.Workers
	}
	return int(c.Workers)
}

// key is the selector of --key under --dispatch key, else nil.
func (c *runCmd) key() *selector.Selector {
	if c.Dispatch != "key" {
		return nil
	}
	s, err := selector.Parse(c.Key)
	if err != nil {
		return nil // check reports it
	}
	return &s
}

// uniqueLabels are the labels of all URLs. If several URLs have the same label, because they differ
// only in a part that labels omit, the second gets the suffix #2, and so on.
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

// config is the configuration of one upstream's gateway.
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
		SinkMeta: c.sinkMeta(),
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
