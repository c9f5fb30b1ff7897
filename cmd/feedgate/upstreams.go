package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/admin"
	"feedgate/gateway/discovery"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
)

// adminGrace is how long the admin server may take to answer its last requests.
const adminGrace = 300 * time.Millisecond

// upstreams are all gateways of the process, and the sinks, state and admin server that they share.
type upstreams struct {
	gateways    []*gateway.Gateway // for URLs that name their servers
	groups      []*discovery.Group // for URLs whose servers are discovered
	admin       *admin.Server      // nil: off
	sink        *sink.Sink         // nil: not open yet
	deadLetters *sink.Sink         // nil: none
	state       *gateway.State     // nil: none
	hurry       <-chan struct{}    // closed when the time for an orderly end is over; nil: never
	watchdog    *watchdog          // nil: none
	fail        func()             // drains all after one has failed; nil: the others continue
	ending      ending
	log         *slog.Logger
	masks       *credential.Masks // of log, also for the admin address
	childStderr *os.File          // of the sinks' child processes; nil: that of this process
	process     *admin.Process    // for the admin address
	debug       bool              // it has profiles
	labels      sinkLabels
}

// sinkLabels are the URLs of the sinks, without secrets.
type sinkLabels struct{ sink, deadLetters string }

// run runs all upstreams until the last one has ended, then closes what they share. It drains them
// when ctx ends and aborts them when abort is closed. If one fails and fail is set, it drains the
// others, so that the process ends and its supervisor notices. Its error has a line for each fault.
//
// It abandons what does not end in time, such as a handler or a disk that hangs.
func (u *upstreams) run(ctx context.Context, abort <-chan struct{}) error {
	if u.admin != nil {
		go u.serveAdmin()
	}
	u.ending.init(len(u.gateways) + len(u.groups))
	var running sync.WaitGroup
	for i, gw := range u.gateways {
		running.Go(func() { u.ending.ended(i, u.drainAfter(u.runOne(ctx, gw))) })
	}
	for i, g := range u.groups {
		running.Go(func() { u.ending.ended(len(u.gateways)+i, u.drainAfter(logged(gateway.ByFlag(g.Run(ctx))))) })
	}
	ended := make(chan error, 1)
	go func() {
		running.Wait()
		closing := u.close()
		ended <- errors.Join(u.ending.err(), closing)
	}()
	return u.supervise(ctx, abort, ended)
}

// drainAfter returns err, the error of an upstream that has ended, and drains the others if it is not
// nil.
func (u *upstreams) drainAfter(err error) error {
	if err != nil && u.fail != nil && len(u.gateways)+len(u.groups) > 1 {
		u.log.Error("an upstream failed; draining the others")
		u.fail()
	}
	return err
}

// report logs the part of run's error that was not logged yet.
func (u *upstreams) report(err error) {
	if err := unlogged(err); err != nil {
		u.log.Error("failed", "error", oneLine(err))
	}
}

// totals are the sums of all upstreams.
func (u *upstreams) totals() gateway.Totals {
	var all gateway.Totals
	for _, gw := range u.gateways {
		all = all.Plus(gw.Stats().Totals())
	}
	for _, g := range u.groups {
		all = all.Plus(g.Totals())
	}
	return all
}

// close closes what the upstreams share.
func (u *upstreams) close() error {
	if u.admin != nil {
		u.ending.startClosing("--admin")
		grace, cancel := context.WithTimeout(context.Background(), adminGrace)
		defer cancel()
		if err := u.admin.Shutdown(grace); err != nil {
			u.log.Debug("admin address closed with requests in progress", "error", err)
		}
	}
	var faults []error
	if u.sink != nil {
		u.ending.startClosing("--sink")
		faults = append(faults, named("--sink", u.sink.Close()))
	}
	if u.deadLetters != nil {
		u.ending.startClosing("--dead-letter")
		faults = append(faults, named("--dead-letter", u.deadLetters.Close()))
	}
	if u.state != nil {
		u.ending.startClosing("--state")
		faults = append(faults, u.state.Close())
	}
	return errors.Join(faults...)
}

// ready returns why the sinks do not accept messages; nil: they do.
func (u *upstreams) ready() error {
	err := u.sink.Ready()
	if u.deadLetters != nil {
		err = errors.Join(err, named("--dead-letter", u.deadLetters.Ready()))
	}
	return err
}

// named prefixes the flag at fault to err; nil stays nil.
func named(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// runOne runs one gateway. Its error names the upstream.
func (u *upstreams) runOne(ctx context.Context, gw *gateway.Gateway) error {
	label := gw.Label()
	err := gateway.ByFlag(gw.Run(ctx))
	if err == nil {
		u.log.Info("done", append([]any{"upstream", label}, gw.Stats().Totals().Attrs()...)...)
		return nil
	}
	u.log.Error("failed", "upstream", label, "error", oneLine(err))
	return loggedError{fmt.Errorf("%s: %w", label, err)}
}

// logged marks an error as logged.
func logged(err error) error {
	if err == nil {
		return nil
	}
	return loggedError{err}
}

// serveAdmin serves the admin address until it is closed.
func (u *upstreams) serveAdmin() {
	if err := u.admin.Serve(u.status()); err != nil {
		u.log.Error("the admin address failed", "error", err)
	}
}

// status is what the admin address, the log and the live line report.
func (u *upstreams) status() admin.Report {
	report := admin.Report{Upstreams: u.current, Discovery: u.found, Sink: u.ready, Sinks: u.sinks, Process: u.process, Debug: u.debug, Mask: u.masks.Text}
	if u.state != nil {
		report.State = u.state.Ready
	}
	return report
}

// sinks are the sinks for the admin address.
func (u *upstreams) sinks() []admin.Sink {
	all := []admin.Sink{{Name: "sink", Label: u.labels.sink, Stats: u.sink.Stats, Ready: u.sink.Ready}}
	if u.deadLetters != nil {
		all = append(all, admin.Sink{
			Name: "dead_letter", Label: u.labels.deadLetters, Stats: u.deadLetters.Stats, Ready: u.deadLetters.Ready,
		})
	}
	return all
}

// current are all gateways, including those that the groups have at this moment.
func (u *upstreams) current() []admin.Upstream {
	gateways := slices.Clone(u.gateways)
	for _, g := range u.groups {
		gateways = append(gateways, g.Gateways()...)
	}
	var all []admin.Upstream
	for _, gw := range gateways {
		all = append(all, admin.Upstream{Label: gw.Label(), Stats: gw.Stats()})
	}
	return all
}

// found returns which groups have no servers; nil: all have some.
func (u *upstreams) found() error {
	var faults []error
	for _, g := range u.groups {
		faults = append(faults, g.Ready())
	}
	return errors.Join(faults...)
}

// listenAdmin opens the admin address; with an empty addr it returns nil. If addr is in use and is the
// default, not given by the user, it listens on a free port of the same host.
func listenAdmin(addr string, given bool, log *slog.Logger) (*admin.Server, error) {
	if addr == "" {
		return nil, nil
	}
	server, err := admin.New(admin.Config{Addr: addr, Log: log})
	if errors.Is(err, syscall.EADDRINUSE) && !given {
		host, _, _ := net.SplitHostPort(addr) // checkAddress has checked it
		if server, err = admin.New(admin.Config{Addr: net.JoinHostPort(host, "0"), Log: log}); err == nil {
			log.Warn("the default admin address is in use; listening on a free port; see --admin", "in_use", addr, "addr", server.Addr().String())
			return server, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf(`--admin: %w; choose another address, or none with --admin ""`, err)
	}
	log.Info("admin address", "addr", server.Addr().String())
	return server, nil
}

// checkAddress validates the form of an admin address.
func checkAddress(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--admin: %q is not HOST:PORT", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--admin: %q is not a port from 0 to 65535, in %q", port, addr)
	}
	return nil
}

// oneLine returns the text of an error that may have several, for the log.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
