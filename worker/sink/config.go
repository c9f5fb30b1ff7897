package sink

import (
	"io"
	"log/slog"
	"os"
	"time"

	"feedgate/worker/selector"

	"feedgate/worker/backoff"
	"feedgate/worker/credential"
	"feedgate/worker/flagset"
)

// Config is what a process has for its sinks, beyond their URLs. Zero fields mean the
// documented default.
type Config struct {
	// Flag is the flag that the URL came from, for errors; default "--sink".
	Flag string
	// Flags are the values of the flags that the kinds take; nil: none is given.
	Flags *flagset.Flags
	// Credentials are for sinks that are servers. Their faults were found before.
	Credentials

	// Key is what --key picks, if all messages of a key are with one worker (--dispatch key);
	// nil: they are not.
	Key *selector.Selector

	// Log gets faults and their end, each line with Flag as "flag", never a message's
	// contents; default slog.Default().
	Log *slog.Logger

	// Stdout is the standard output to write messages to; default os.Stdout.
	Stdout io.Writer
	// Stderr is the standard error of child processes; default os.Stderr.
	Stderr *os.File

	// ReconnectMin and ReconnectMax bound the wait before the next try after a failure. It
	// is drawn between ReconnectMin, default 100ms, and a bound that doubles up to
	// ReconnectMax, default 10s.
	ReconnectMin, ReconnectMax time.Duration

	// ConnectTimeout bounds one try to connect to a server; default 10s.
	ConnectTimeout time.Duration

	// Hurry, when closed, means that there is no more time to end in order. May be nil.
	Hurry <-chan struct{}

	// Buffer is how many bytes a sink may copy together, beside one message that is longer;
	// default 16 MiB.
	Buffer int64

	// CloseTimeout is how long Close waits for a write that nothing can interrupt;
	// default 500ms.
	CloseTimeout time.Duration
}

// WithDefaults is cfg with its defaults filled in. The registry calls it.
func (cfg Config) WithDefaults() Config {
	if cfg.Flag == "" {
		cfg.Flag = "--sink"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.Log = cfg.Log.With("flag", cfg.Flag)
	if cfg.TLS == nil {
		cfg.TLS = credential.SystemTLS(tlsFlags)
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	if cfg.Stderr == nil {
		cfg.Stderr = os.Stderr
	}
	if cfg.ReconnectMin == 0 {
		cfg.ReconnectMin = 100 * time.Millisecond
	}
	if cfg.ReconnectMax == 0 {
		cfg.ReconnectMax = 10 * time.Second
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = 16 << 20
	}
	if cfg.CloseTimeout == 0 {
		cfg.CloseTimeout = 500 * time.Millisecond
	}
	return cfg
}

// NewBackoff never waits less than 1 ms, whatever ReconnectMin is.
func (cfg *Config) NewBackoff() *backoff.Backoff {
	return backoff.New(max(cfg.ReconnectMin, time.Millisecond), cfg.ReconnectMax)
}
