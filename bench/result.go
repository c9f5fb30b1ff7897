package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// File is the result of a run of the harness: its environment, and a row for each subject, size and
// number of workers, in the order of their first measurement.
type File struct {
	Meta Meta  `json:"meta"`
	Rows []Row `json:"rows"`
}

// Meta is what the figures depend on, besides the subjects.
type Meta struct {
	Machine    string    `json:"machine"` // model of the processor
	Cores      int       `json:"cores"`
	MemoryMB   int       `json:"memory_mb"`
	Kernel     string    `json:"kernel"`
	Congestion string    `json:"tcp_congestion_control"`
	Go         string    `json:"go"`
	Commit     string    `json:"commit"` // that the harness was built from
	Command    []string  `json:"command"`
	Began      time.Time `json:"began"`
	Rounds     int       `json:"rounds"`
	// Notes list what a reader must know to trust the figures: what was left out, and what could not be
	// measured and why.
	Notes []string `json:"notes,omitempty"`
}

// Row is one subject under one load. Figures are medians of the rounds; unknown ones are nil. Rates
// and times are the feed's, from sending the first message to receiving the last ack; for NSQ to
// the last FIN, from nsqd's statistics, accurate to 1 ms; for lines from the client's order to begin to
// its result. MB are 10^6 bytes of payload.
type Row struct {
	Subject  string `json:"subject"`
	Protocol string `json:"protocol"`

	Size        int     `json:"size"` // bytes of payload
	Workers     int     `json:"workers"`
	WorkNS      int64   `json:"work_ns"`      // CPU time of the work per message
	RateOffered float64 `json:"rate_offered"` // messages per second; 0: as fast as possible

	Msgs     *float64 `json:"msgs"`
	Seconds  *float64 `json:"seconds"`
	MsgsPerS *float64 `json:"msgs_per_s"`
	MBPerS   *float64 `json:"mb_per_s"`

	CPUNSPerMsg     *float64 `json:"cpu_ns_per_msg"`      // of the subject's process, all threads, user and system
	FeedCPUNSPerMsg *float64 `json:"feed_cpu_ns_per_msg"` // of the feed's process, in the same time
	AllocsPerMsg    *float64 `json:"allocs_per_msg"`      // heap objects
	SyscallsPerMsg  *float64 `json:"syscalls_per_msg"`    // of the subject's process, counted in the warm-up only
	RSSMB           *float64 `json:"rss_mb"`              // peak, in MiB

	// Ack latency, from when the message was sent, or with a rate was due, to the arrival of the ack.
	P50US  *float64 `json:"p50_us"`
	P99US  *float64 `json:"p99_us"`
	P999US *float64 `json:"p999_us"`
	MaxUS  *float64 `json:"max_us"`

	// Over all rounds and the warm-up, not medians.
	Missing   uint64 `json:"missing"`
	Duplicate uint64 `json:"duplicate"`
	Unknown   uint64 `json:"unknown"` // acks that name no message

	OfLimit *float64 `json:"of_limit"` // median over the rounds of msgs_per_s divided by limit's in that round

	Rounds int `json:"rounds"` // completed ones
	// Spread is each figure's interval, by its name in JSON: see [Interval].
	Spread  map[string]Interval `json:"spread"`
	Latency []Percentile        `json:"latency"` // ascending
	Faults  []string            `json:"faults"`  // by round
}

// Percentile is a point of a latency distribution: the median over the rounds, and the spread.
type Percentile struct {
	Percentile float64 `json:"percentile"` // 0 to 100
	US         float64 `json:"us"`
	Interval
}

// Sound reports whether the row is valid: every round was completed, and every message was acked
// exactly once.
func (r *Row) Sound() bool {
	return len(r.Faults) == 0 && r.Missing+r.Duplicate+r.Unknown == 0
}

// figures are the figures of a row that have a spread.
var figures = []struct {
	name string
	at   func(r *Row) **float64
}{
	{"msgs", func(r *Row) **float64 { return &r.Msgs }},
	{"seconds", func(r *Row) **float64 { return &r.Seconds }},
	{"msgs_per_s", func(r *Row) **float64 { return &r.MsgsPerS }},
	{"mb_per_s", func(r *Row) **float64 { return &r.MBPerS }},
	{"cpu_ns_per_msg", func(r *Row) **float64 { return &r.CPUNSPerMsg }},
	{"feed_cpu_ns_per_msg", func(r *Row) **float64 { return &r.FeedCPUNSPerMsg }},
	{"allocs_per_msg", func(r *Row) **float64 { return &r.AllocsPerMsg }},
	{"syscalls_per_msg", func(r *Row) **float64 { return &r.SyscallsPerMsg }},
	{"rss_mb", func(r *Row) **float64 { return &r.RSSMB }},
	{"p50_us", func(r *Row) **float64 { return &r.P50US }},
	{"p99_us", func(r *Row) **float64 { return &r.P99US }},
	{"p999_us", func(r *Row) **float64 { return &r.P999US }},
	{"max_us", func(r *Row) **float64 { return &r.MaxUS }},
	{"of_limit", func(r *Row) **float64 { return &r.OfLimit }},
}

// Metric returns a figure of the row by its name in JSON. value is nil if the figure is unknown;
// known is false if no figure has that name.
func (r *Row) Metric(name string) (value *float64, known bool) {
	for _, m := range figures {
		if m.name == name {
			return *m.at(r), true
		}
	}
	total := func(n uint64) (*float64, bool) {
		f := float64(n)
		return &f, true
	}
	switch name {
	case "missing":
		return total(r.Missing)
	case "duplicate":
		return total(r.Duplicate)
	case "unknown":
		return total(r.Unknown)
	}
	return nil, false
}

// ReadFile reads the result of a run.
func ReadFile(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := new(File)
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(f.Rows) == 0 {
		return nil, fmt.Errorf("%s: no rows: not a file of feedgate bench --out", path)
	}
	return f, nil
}

// Encode writes the file as indented JSON.
func (f *File) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(f)
}
