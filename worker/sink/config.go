package sink

import (
	"io"
	"log/slog"
	"os"
	"time"

	"feedgate/worker/backoff"
	"feedgate/worker/credential"
	"feedgate/worker/flagset"
	"feedgate/worker/selector"
)

// Config has the settings of a sink that are not in its URL. Zero fields have the documented
// default.
type Config struct {
	// Flag is the flag with the URL, for errors and logs; default "--sink".
	Flag string
	// Flags are the values of the kinds' flags; nil: none is given.
	Flags *flagset.Flags
	// Credentials are for sinks that are servers. They have been checked.
	Credentials

	// Key is that of --key under --dispatch key: all messages of a key go to one worker. Nil:
	// they may go to any.
	Key *selector.Selector

	// Log is for faults and for their end, never for data of messages. Each line has the
	// attribute "flag", see Flag. Default slog.Default().
	Log *slog.Logger

	// Stats is where the sink counts. [Registry.Open] makes it and sets it in the Sink.
	Stats *Stats

	// Stdout is where stdout: writes; default os.Stdout.
	Stdout io.Writer
	// Stderr is the standard error of child processes; default os.Stderr.
	Stderr *os.File

	// ReconnectMin and ReconnectMax limit the wait after a failure; see NewBackoff. Default
	// 100ms and 10s.
	ReconnectMin, ReconnectMax time.Duration

	// ConnectTimeout limits one attempt to connect to a server; default 10s.
	ConnectTimeout time.Duration

	// Hurry is closed when the time for an orderly end is over. It may be nil.
	Hurry <-chan struct{}

	// Buffer limits the copies that a sink makes of messages, in bytes, a single longer message
	// excepted; default 16 MiB.
	Buffer int64

	// CloseTimeout is how long Close waits for a write that cannot be interrupted; default
	// 500ms.
	CloseTimeout time.Duration
}

// WithDefaults returns cfg with its defaults filled in. [Registry.Open] calls it.
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
	if cfg.Stats == nil {
		cfg.Stats = new(Stats)
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

// NewBackoff returns the waits between attempts: each is random, between ReconnectMin, but at least
// 1 ms, and a bound that doubles up to ReconnectMax.
func (cfg *Config) NewBackoff() *backoff.Backoff {
	return backoff.New(max(cfg.ReconnectMin, time.Millisecond), cfg.ReconnectMax)
}
