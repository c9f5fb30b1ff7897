package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"feedgate/bench/destination"
)

// DestinationArg is the first argument of a process that runs [DestinationMain]; the second is the kind.
const DestinationArg = "bench-destination"

// tally is a line from a destination's process: first its URL, at the end the number of its messages.
type tally struct {
	URL      string  `json:"url,omitempty"`
	Messages *uint64 `json:"messages,omitempty"`
}

// DestinationMain is the process of a destination. It serves until in ends.
func DestinationMain(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	server, err := destination.Start(kind)
	if err != nil {
		return err
	}
	defer server.Close()
	lines := json.NewEncoder(out)
	if err := lines.Encode(tally{URL: server.URL}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	n := server.Messages()
	return lines.Encode(tally{Messages: &n})
}

// goal is where a run's messages go.
type goal struct {
	url string // empty: nowhere
	// end ends it and returns the number of its messages; counted is false if nobody knows.
	end func() (n uint64, counted bool, err error)
}

// goalOf prepares the destination of a subject for one run.
func (h *harness) goalOf(ctx context.Context, s *Subject) (goal, error) {
	switch s.Destination {
	case "", "discard":
		end := func() (uint64, bool, error) { return 0, false, nil }
		if s.Destination == "" {
			return goal{"", end}, nil
		}
		return goal{"discard:", end}, nil
	case "file":
		return fileGoal()
	}
	return h.serverGoal(ctx, s.Destination)
}

// serverGoal is a destination in a process of its own.
func (h *harness) serverGoal(ctx context.Context, kind string) (g goal, err error) {
	ctx, stop := context.WithCancel(ctx)
	p, err := start(ctx, []string{h.cfg.Self, DestinationArg, kind})
	if err != nil {
		stop()
		return g, fmt.Errorf("destination: %w", err)
	}
	answer := func(t *tally) error {
		ctx, cancel := context.WithTimeoutCause(ctx, grace, errors.New("the destination does not answer"))
		defer cancel()
		if err := p.receive(ctx, t); err != nil {
			p.kill()
			return fmt.Errorf("destination: %w", errors.Join(err, p.wait()))
		}
		return nil
	}
	var t tally
	if err := answer(&t); err != nil {
		stop()
		return g, err
	}
	return goal{t.URL, func() (uint64, bool, error) {
		defer stop()
		_ = p.stdin.Close()
		if err := answer(&t); err != nil {
			return 0, false, err
		}
		if t.Messages == nil {
			return 0, false, errors.Join(errors.New("destination: no number of messages"), p.wait())
		}
		return *t.Messages, true, p.wait()
	}}, nil
}

// fileGoal is a file in a directory of its own. Its messages are lines.
func fileGoal() (goal, error) {
	dir, err := os.MkdirTemp("", "feedgate-bench-")
	if err != nil {
		return goal{}, err
	}
	path := filepath.Join(dir, "messages")
	return goal{"file:" + path, func() (n uint64, counted bool, err error) {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) { // the client did not start
			return 0, true, nil
		}
		if err != nil {
			return 0, false, err
		}
		defer f.Close()
		n, err = destination.Lines(f)
		return n, true, err
	}}, nil
}
