package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/bench/baselines"
	"feedgate/worker/sink/spin"
)

// SubjectArg is the first argument of a process that runs [SubjectMain]. The other arguments are
// passed to it.
const SubjectArg = "bench-subject"

// outcome is the result that a subject's process prints at its end, as a line of JSON. Unknown
// values are left out.
type outcome struct {
	Messages uint64   `json:"messages"`
	Allocs   *float64 `json:"allocs,omitempty"` // heap objects, since the order to begin
	CPUNS    *float64 `json:"cpu_ns,omitempty"` // user and system time, since then
	RSSBytes *float64 `json:"rss_bytes,omitempty"`
}

// SubjectMain is the process of a subject. args are its name and the flags of [clientMain].
func SubjectMain(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("no subject named")
	}
	s := Find(args[0])
	if s == nil || s.Program != "" {
		return fmt.Errorf("%q is not a subject of this program", args[0])
	}
	return clientMain(ctx, s, args[1:], in, out)
}

// client returns the subject's client for a form of keys, which may be nil if it does not need one.
func (s *Subject) client(form *keyForm) (baselines.Func, error) {
	switch {
	case s.byKey == nil:
		return s.Run, nil
	case form == nil:
		return nil, fmt.Errorf("--key-form: want one of %s", keyFormNames())
	}
	return s.byKey(form), nil
}

// clientMain is the process of a client. Its flags are --addr, --workers, --work-ns, --read and
// --key-form.
// After its preparations it writes {"ready":true} to out, begins when it has read a line from in,
// and writes its outcome at the end.
func clientMain(ctx context.Context, s *Subject, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "", "HOST:PORT of the feed")
	workers := flags.Int("workers", 1, "workers")
	workNS := flags.Int64("work-ns", 0, "ns of CPU time per message")
	read := flags.Bool("read", false, "read every byte of a message")
	form := flags.String("key-form", "", "where the key is in a message")
	if err := flags.Parse(args); err != nil {
		return err
	}
	run, err := s.client(findKeyForm(*form))
	if err != nil {
		return err
	}
	work := newWork(time.Duration(*workNS), *read)

	if _, err := fmt.Fprintln(out, `{"ready":true}`); err != nil {
		return err
	}
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting to begin: %w", err)
	}
	allocs, cpu := heapObjects(), processCPU()
	res, err := run(ctx, *addr, *workers, work)
	if err != nil {
		return err
	}
	cpu, allocs = processCPU()-cpu, heapObjects()-allocs
	return json.NewEncoder(out).Encode(outcome{
		Messages: res.Messages, Allocs: &allocs, CPUNS: &cpu, RSSBytes: residentPeak(),
	})
}

// newWork returns the work that every subject does for each message.
func newWork(d time.Duration, read bool) func(msg []byte) {
	burn := spin.Burner(d)
	switch {
	case read && d > 0:
		return func(msg []byte) {
			touch(msg)
			burn()
		}
	case read:
		return touch
	case d > 0:
		return func([]byte) { burn() }
	}
	return func([]byte) {}
}

// touch reads every byte. The sum cannot be negative, but the compiler does not know that.
func touch(msg []byte) {
	sum := 0
	for _, b := range msg {
		sum += int(b)
	}
	if sum < 0 {
		panic("bench: a sum of bytes is negative")
	}
}

// heapObjects returns how many objects the process has allocated.
func heapObjects() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

// processCPU returns the user and system time of this process in ns.
func processCPU() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic("bench: getrusage: " + err.Error()) // only bad arguments fail
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
