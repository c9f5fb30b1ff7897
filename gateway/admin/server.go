// Package admin serves the admin address: whether the process is alive and ready, and the
// gateways' counters, for Prometheus and as JSON.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"feedgate/gateway"
)

// Config configures a server.
type Config struct {
	Addr string       // HOST:PORT to listen on
	Log  *slog.Logger // default slog.Default
}

// Report is what a server reports. Any goroutine may call its functions.
type Report struct {
	// Upstreams returns the current gateways; it is called for each request. The series of a
	// gateway end with it, and those of its successor begin at 0.
	Upstreams func() []Upstream

	// Discovery returns nil if all upstreams are found, else an error with one line per fault.
	// nil: there is nothing to find.
	Discovery func() error

	// Sink returns nil if the sink can accept messages, else what is missing. nil: the sink is
	// always ready.
	Sink func() error

	// Sinks returns the sinks to report. Nil: none.
	Sinks func() []Sink
	// Process is reported, too, unless it is nil.
	Process *Process
	// Debug adds the profiles of net/http/pprof below /debug/pprof/.
	Debug bool
	// State returns nil unless the disk of the state file hangs. nil: there is no state file.
	State func() error
	// Mask returns a text of the functions above without secrets, which a server may repeat. Nil: there
	// are none.
	Mask func(string) string
}

// Upstream is the label and the counters of a gateway.
type Upstream struct {
	Label string
	Stats *gateway.Stats
}

// Limits of one request. A scrape is small and answered from memory.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// Server serves the admin address. [New] starts to listen; Serve answers requests on its caller's
// goroutine until Shutdown, which any goroutine may call once. They are separate so that a
// process learns that the address is in use before it opens anything that the process using the
// address may have open, such as a sink's file.
type Server struct {
	listener  net.Listener
	log       *slog.Logger
	http      http.Server
	connLimit connLimit
}

// New listens on cfg.Addr; requests wait for Serve. Its error, such as an address in use, is that
// of [net.Listen].
func New(cfg Config) (*Server, error) {
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		listener: listener,
		log:      log,
		http: http.Server{
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       requestTimeout,
			WriteTimeout:      requestTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
	}
	s.http.ConnState = s.connLimit.track
	return s, nil
}

// Addr returns the address on which the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers requests with r until Shutdown, and then returns nil.
func (s *Server) Serve(r Report) error {
	s.http.Handler = checkHost(s.listener.Addr(), newHandler(r, s.log))
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening and waits for requests in progress. If ctx ends first, it closes their
// connections.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	// Without a call of Serve the HTTP server does not know the listener.
	s.listener.Close()
	return err
}
