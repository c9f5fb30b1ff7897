// Command feedgate-benthos is the subject benthos-drop or benthos-file of feedgate bench: Benthos, as a
// library, with its input socket and the scanner lines, and its output drop or file. It is a module of its
// own, because Benthos has many dependencies. make baselines builds it.
//
// Command line and standard streams are those of every subject. Benthos sends no acks over a socket, and
// connects again when the feed has closed. So a metrics exporter counts what the output has written, and
// stops the input at the end of its first connection.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"feedgate/bench/client"
)

func main() {
	if err := client.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, prepare); err != nil {
		fmt.Fprintf(os.Stderr, "feedgate-benthos: %v\n", err)
		os.Exit(1)
	}
}

// prepare builds the stream.
func prepare(f client.Flags) (client.Run, error) {
	count := newTally()
	env := service.NewEnvironment()
	if err := env.RegisterMetricsExporter("tally", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return count, nil }); err != nil {
		return nil, err
	}
	builder := env.NewStreamBuilder()
	builder.SetThreads(f.Workers)
	config, err := config(f)
	if err != nil {
		return nil, err
	}
	if err := builder.SetYAML(config); err != nil {
		return nil, err
	}
	stream, err := builder.Build()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (uint64, error) { return run(ctx, stream, count) }, nil
}

// config returns the configuration of the stream, in JSON, which is YAML.
func config(f client.Flags) (string, error) {
	output := map[string]any{"drop": struct{}{}}
	if path, ok := strings.CutPrefix(f.To, "file:"); ok {
		output = map[string]any{"file": map[string]any{"path": path, "codec": "lines"}}
	}
	text, err := json.Marshal(map[string]any{
		"http":   map[string]any{"enabled": false},
		"logger": map[string]any{"level": "OFF"},
		"input": map[string]any{"socket": map[string]any{
			"network": "tcp", "address": f.Addr, "scanner": map[string]any{"lines": struct{}{}},
		}},
		"output":  output,
		"metrics": map[string]any{"tally": struct{}{}},
	})
	return string(text), err
}

// pollInterval is how often run checks whether everything has been written.
const pollInterval = time.Millisecond

// run runs the stream until the feed has closed and everything has been written. The stream then still
// waits, until the process ends.
func run(ctx context.Context, stream *service.Stream, count *tally) (uint64, error) {
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(ctx) }()
	select {
	case <-count.lost:
	case err := <-ended:
		return 0, fmt.Errorf("the stream has ended: %w", err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for count.sent.Load() < count.received.Load() {
		select {
		case <-ticker.C:
		case err := <-ended:
			return 0, fmt.Errorf("the stream has ended: %w", err)
		}
	}
	return uint64(count.sent.Load()), nil
}
