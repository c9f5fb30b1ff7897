package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/admin"
	"feedgate/gateway/discovery"
	"feedgate/worker/sink"
)

// adminGrace is how long the admin address has to finish the requests that it is
// answering.
const adminGrace = 300 * time.Millisecond

// upstreams are the gateways of one process and what they share.
type upstreams struct {
	gateways    []*gateway.Gateway // of the URLs that name their server
	groups      []*discovery.Group // of those whose servers are found
	admin       *admin.Server      // nil: off
	sink        *sink.Sink         // nil: not open yet
	deadLetters *sink.Sink         // nil: none
	state       *gateway.State     // nil: none
	hurry       <-chan struct{}    // closed when there is no more time to end in order; nil: there is
	watchdog    *watchdog          // nil: none
	fail        func()             // drains all; nil: one that fails leaves the others alone
	ending      ending
	log         *slog.Logger
}

// run runs all upstreams until the last has ended: each by itself, or all once ctx is
// cancelled or abort is closed, or one has failed: with fail, the process then drains the
// others, so that whoever supervises it notices. Then it closes what they share. Its error has
// a line for each fault.
//
// What does not end in time is left behind, so that a handler or a disk that hangs cannot
// keep the process.
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
		running.Go(func() { u.ending.ended(len(u.gateways)+i, u.drainAfter(logged(g.Run(ctx)))) })
	}
	ended := make(chan error, 1)
	go func() {
		running.Wait()
		closing := u.close()
		ended <- errors.Join(u.ending.fault(), closing)
	}()
	return u.supervise(ctx, abort, ended)
}

// drainAfter drains all upstreams if one has failed.
func (u *upstreams) drainAfter(err error) error {
	if err != nil && u.fail != nil && len(u.gateways)+len(u.groups) > 1 {
		u.log.Error("an upstream has failed; all others are drained")
		u.fail()
	}
	return err
}

// report logs the part of run's error that was not logged yet.
func (u *upstreams) report(err error) {
	if left := unlogged(err); left != nil {
		u.log.Error("failed", "error", left)
	}
}

// totals are the sums over all upstreams.
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

// close closes what the gateways share.
func (u *upstreams) close() error {
	if u.admin != nil {
		u.ending.close("--admin")
		grace, cancel := context.WithTimeout(context.Background(), adminGrace)
		defer cancel()
		if err := u.admin.Shutdown(grace); err != nil {
			u.log.Debug("admin address closed with requests under way", "error", err)
		}
	}
	var faults []error
	if u.sink != nil {
		u.ending.close("--sink")
		faults = append(faults, named("--sink", u.sink.Close()))
	}
	if u.deadLetters != nil {
		u.ending.close("--dead-letter")
		faults = append(faults, named("--dead-letter", u.deadLetters.Close()))
	}
	if u.state != nil {
		u.ending.close("--state")
		faults = append(faults, u.state.Close())
	}
	return errors.Join(faults...)
}

// ready is nil when the sinks accept messages, else the reason why not.
func (u *upstreams) ready() error {
	err := u.sink.Ready()
	if u.deadLetters != nil {
		err = errors.Join(err, named("--dead-letter", u.deadLetters.Ready()))
	}
	return err
}

// named puts the flag at fault in front of err; nil stays nil.
func named(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// runOne runs one gateway. Its error names the upstream.
func (u *upstreams) runOne(ctx context.Context, gw *gateway.Gateway) error {
	label := gw.Label()
	err := gw.Run(ctx)
	if err == nil {
		u.log.Info("done", append([]any{"upstream", label}, gw.Stats().Totals().Attrs()...)...)
		return nil
	}
	u.log.Error("failed", "upstream", label, "error", err)
	return loggedError{fmt.Errorf("%s: %w", label, err)}
}

// logged marks an error as logged.
func logged(err error) error {
	if err == nil {
		return nil
	}
	return loggedError{err}
}

func (u *upstreams) serveAdmin() {
	report := admin.Report{Upstreams: u.current, Discovery: u.found, Sink: u.ready}
	if u.state != nil {
		report.State = u.state.Ready
	}
	if err := u.admin.Serve(report); err != nil {
		u.log.Error("the admin address no longer answers", "error", err)
	}
}

// current are the gateways that exist now.
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

// found is nil when every group has found servers.
func (u *upstreams) found() error {
	var faults []error
	for _, g := range u.groups {
		faults = append(faults, g.Ready())
	}
	return errors.Join(faults...)
}

// listenAdmin opens the admin address, or returns nil when addr is empty. If the address is
// in use and was not given, but is the default, a free port of its host will do.
func listenAdmin(addr string, given bool, log *slog.Logger) (*admin.Server, error) {
	if addr == "" {
		return nil, nil
	}
	server, err := admin.New(admin.Config{Addr: addr, Log: log})
	if errors.Is(err, syscall.EADDRINUSE) && !given {
		host, _, _ := net.SplitHostPort(addr) // checkAddress has seen it
		if server, err = admin.New(admin.Config{Addr: net.JoinHostPort(host, "0"), Log: log}); err == nil {
			log.Warn("the default admin address is in use; another port was taken; see --admin", "in_use", addr, "addr", server.Addr().String())
			return server, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf(`--admin: %w; choose another address, or --admin "" for none`, err)
	}
	log.Info("admin address", "addr", server.Addr().String())
	return server, nil
}

// checkAddress is the fault in the form of an admin address, if any.
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
