package sink

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"feedgate/worker"
	"feedgate/worker/backoff"
)

// Config is what sinks need beyond their URL. Zero fields mean the documented
// default.
type Config struct {
	// Flag is the flag that the URL came from, for errors; default "--sink".
	Flag string
	// Log gets faults and their end, each line with Flag as "flag", never a message's
	// contents; default slog.Default().
	Log *slog.Logger

	// Stdout is what stdout: writes to; default os.Stdout.
	Stdout io.Writer
	// Stderr is the standard error of exec's children; default os.Stderr.
	Stderr *os.File

	// ReconnectMin and ReconnectMax bound the wait before the next try after a
	// failed write of file: or the end of a child of exec:. It is drawn between
	// ReconnectMin, default 100ms, and a bound that doubles up to ReconnectMax,
	// default 10s.
	ReconnectMin, ReconnectMax time.Duration

	// Grace is how long a child of exec: has to end once its input is closed, and again
	// after TERM, before it is killed; and how long after its end answers are read while a
	// stray process holds its output open. Default 2s.
	Grace time.Duration

	// Hurry, when closed, ends the Grace of children whose handlers are being closed: they
	// get TERM at once and KILL 250 ms later. May be nil.
	Hurry <-chan struct{}

	// CloseTimeout is how long Close waits for a blocked write to standard output
	// or to the disk, which nothing can interrupt; default 500ms.
	CloseTimeout time.Duration

	// FileBuffer is how many bytes may wait for the next commit of file: while
	// one is under way; default 8 MiB. A message longer than that waits alone.
	FileBuffer int
}

// ErrURL is in the error of Open when the URL itself is at fault, which is a
// usage error, rather than what it names.
var ErrURL = errors.New("not a sink")

// ErrInUse is in the error of Open when something else has locked the file of file:.
var ErrInUse = errors.New("in use by another process or another sink; each needs a file of its own")

// Reopener is a sink with a file, which is opened again by its path on Reopen,
// after another process has moved it away. The messages being written are finished
// first. If the path cannot be opened, the error says so and nothing changes.
type Reopener interface {
	Reopen() error
}

// Open makes the sink that url names. Its error names the flag and the fault.
// The caller closes the sink after all pools that use it were stopped.
func Open(url string, cfg Config) (worker.Sink, error) {
	cfg.setDefaults()
	open, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", cfg.Flag, url, err)
	}
	s, err := open(&cfg)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", cfg.Flag, url, err)
	}
	return s, nil
}

// Check is the error with which Open would find fault with the URL itself. It
// opens nothing.
func Check(flag, url string) error {
	if _, err := parse(url); err != nil {
		return fmt.Errorf("%s %q: %w", flag, url, err)
	}
	return nil
}

const known = "discard:, spin:DURATION, stdout:, file:PATH, exec:COMMAND"

// opener opens the sink of one URL.
type opener func(*Config) (worker.Sink, error)

// parse takes a URL apart. Its errors are of ErrURL.
func parse(url string) (opener, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok {
		return nil, fmt.Errorf("%w: no colon; known are %s", ErrURL, known)
	}
	switch scheme {
	case "discard":
		if rest != "" {
			return nil, fmt.Errorf("%w: nothing may follow discard:", ErrURL)
		}
		return func(cfg *Config) (worker.Sink, error) { return newDiscard(cfg), nil }, nil
	case "stdout":
		path, f, err := parseOutput(rest)
		if err == nil && path != "" {
			err = fmt.Errorf("%w: nothing but ?frame= may follow stdout:", ErrURL)
		}
		return func(cfg *Config) (worker.Sink, error) { return newStdout(f, cfg) }, err
	case "spin":
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%w: want a duration of 0 or more, as in spin:500ns", ErrURL)
		}
		return func(*Config) (worker.Sink, error) { return newSpin(d), nil }, nil
	case "file":
		path, f, err := parseOutput(rest)
		if err == nil && path == "" {
			err = fmt.Errorf("%w: want a path, as in file:/var/lib/feed.log", ErrURL)
		}
		return func(cfg *Config) (worker.Sink, error) { return newFile(path, f, cfg, osDisk{}) }, err
	case "exec":
		if strings.TrimSpace(rest) == "" {
			return nil, fmt.Errorf("%w: want a command for /bin/sh, as in exec:./handle", ErrURL)
		}
		return func(cfg *Config) (worker.Sink, error) { return newExec(rest, cfg), nil }, nil
	}
	return nil, fmt.Errorf("%w: unknown scheme; known are %s", ErrURL, known)
}

func (cfg *Config) setDefaults() {
	if cfg.Flag == "" {
		cfg.Flag = "--sink"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.Log = cfg.Log.With("flag", cfg.Flag)
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
	if cfg.Grace == 0 {
		cfg.Grace = 2 * time.Second
	}
	if cfg.CloseTimeout == 0 {
		cfg.CloseTimeout = 500 * time.Millisecond
	}
	if cfg.FileBuffer == 0 {
		cfg.FileBuffer = 8 << 20
	}
}

// newBackoff never waits less than 1 ms, whatever ReconnectMin is.
func (cfg *Config) newBackoff() *backoff.Backoff {
	return backoff.New(max(cfg.ReconnectMin, time.Millisecond), cfg.ReconnectMax)
}

// steady is the part of a sink that can always take messages.
type steady struct{}

func (steady) Ready() error            { return nil }
func (steady) Failed() <-chan struct{} { return nil }
func (steady) Err() error              { return nil }
func (steady) Close() error            { return nil }
