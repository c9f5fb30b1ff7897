// Package client is the harness's view of a client's process: its flags, its standard streams, and what
// it measures of itself.
package client

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"strings"

	"golang.org/x/sys/unix"
)

// Flags are the flags of a client's process.
type Flags struct {
	Addr    string // HOST:PORT of the feed
	Workers int
	WorkNS  int64  // ns of CPU time per message
	Read    bool   // read every byte of a message
	KeyForm string // where the key is in a message
	To      string // URL of the destination
}

func parse(args []string) (f Flags, err error) {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.Addr, "addr", "", "HOST:PORT of the feed")
	flags.IntVar(&f.Workers, "workers", 1, "workers")
	flags.Int64Var(&f.WorkNS, "work-ns", 0, "ns of CPU time per message")
	flags.BoolVar(&f.Read, "read", false, "read every byte of a message")
	flags.StringVar(&f.KeyForm, "key-form", "", "where the key is in a message")
	flags.StringVar(&f.To, "to", "", "URL of the destination")
	return f, flags.Parse(args)
}

// Outcome is the result that a client's process prints at its end, as a line of JSON. Unknown values are
// left out.
type Outcome struct {
	Messages uint64   `json:"messages"`
	Allocs   *float64 `json:"allocs,omitempty"` // heap objects, since the order to begin
	CPUNS    *float64 `json:"cpu_ns,omitempty"` // user and system time, since then
	RSSBytes *float64 `json:"rss_bytes,omitempty"`
}

// Run is a client. It returns how many messages it has processed.
type Run func(ctx context.Context) (messages uint64, err error)

// Main is the process of a client. args are its flags. After prepare it writes {"ready":true} to out,
// begins when it has read a line from in, and writes its outcome at the end.
func Main(ctx context.Context, args []string, in io.Reader, out io.Writer, prepare func(Flags) (Run, error)) error {
	flags, err := parse(args)
	if err != nil {
		return err
	}
	run, err := prepare(flags)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, `{"ready":true}`); err != nil {
		return err
	}
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting to begin: %w", err)
	}
	allocs, cpu := heapObjects(), CPU()
	messages, err := run(ctx)
	if err != nil {
		return err
	}
	cpu, allocs = CPU()-cpu, heapObjects()-allocs
	return json.NewEncoder(out).Encode(Outcome{Messages: messages, Allocs: &allocs, CPUNS: &cpu, RSSBytes: residentPeak()})
}

// heapObjects returns how many objects the process has allocated.
func heapObjects() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

// CPU returns the user and system time of this process in ns.
func CPU() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic("client: getrusage: " + err.Error()) // only bad arguments fail
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// residentPeak returns the peak resident memory in bytes. getrusage does not help: its value includes the
// parent's memory before exec.
func residentPeak() *float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %g kB", &kib); n == 1 {
			bytes := kib * 1024
			return &bytes
		}
	}
	return nil
}
