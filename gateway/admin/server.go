// Package admin answers the admin address: whether the process lives and is
// ready, and the gateways' counters, for Prometheus and as JSON.
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

// Config sets a server up.
type Config struct {
	Addr string       // HOST:PORT to listen on
	Log  *slog.Logger // default slog.Default
}

// Report is what a server answers about. Its functions are called on any goroutine.
type Report struct {
	// Upstreams are the gateways that there are, asked for at each request. Those that
	// come and go take their series with them: counters of one that has ended are shown no
	// more, and those of its successor begin at zero.
	Upstreams func() []Upstream

	// Lookup returns nil when it is known where all upstreams are, else what is missing, a
	// line each. Without the function it is known.
	Lookup func() error

	// Sink returns nil when the sink can take messages, else what is missing.
	// Without the function the sink is ready.
	Sink func() error

	// State returns nil unless the disk of the state file hangs. Without the function there
	// is no such file.
	State func() error
}

// Upstream is one gateway: its label, which is shown, and its counters.
type Upstream struct {
	Label string
	Stats *gateway.Stats
}

// Bounds of one request. A scrape is small and answered from memory.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// Server answers the admin address. [New] starts to listen, Serve answers on its
// caller's goroutine until Shutdown, which any goroutine may call, once. The two
// are apart so that a process can find out that the address is in use before it
// opens anything, a sink's file for one, that the process which holds the address
// may be using.
type Server struct {
	listener net.Listener
	log      *slog.Logger
	http     http.Server
	crowd    crowd
}

// New listens on cfg.Addr; requests wait for Serve. Its error, such as an address
// in use, is that of [net.Listen].
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
	s.http.ConnState = s.crowd.track
	return s, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers requests about r until Shutdown; it then returns nil.
func (s *Server) Serve(r Report) error {
	s.http.Handler = newHandler(r, s.log)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening and waits for the requests that are being answered;
// when ctx ends first their connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	// Without a call of Serve the HTTP server does not know the listener.
	s.listener.Close()
	return err
}
