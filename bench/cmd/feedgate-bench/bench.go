package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"feedgate/bench"
	"feedgate/bench/report"
	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/wire/faults"
)

// exitThreshold is the exit status if a --fail-if threshold was crossed.
const exitThreshold = 99

// benchCmd is the benchmark harness: its flags are the fields of bench.Config.
type benchCmd struct {
	Subjects string      `placeholder:"LIST" help:"Subjects to measure, separated by commas, see above [those marked *]."`
	Size     sizes       `placeholder:"LIST" default:"64" help:"Bytes of payload, 1 to 1048576 [${default}]."`
	Workers  counts      `placeholder:"LIST" default:"2" help:"Workers of each subject that has any [${default}]."`
	Msgs     uint64      `placeholder:"N" help:"Messages per run, instead of --duration."`
	Duration cli.Period  `placeholder:"D" help:"Length of a run [2s]."`
	Rate     float64     `placeholder:"N" default:"0" help:"Messages per second; 0: as fast as possible [${default}]."`
	Work     cli.Timeout `placeholder:"D" default:"0" help:"CPU time that a worker spends on each message [${default}]."`
	Read     bool        `help:"The worker also reads every byte of a message."`
	Keys     int         `placeholder:"N" default:"0" help:"Different keys in the messages, chosen at random [0; 1000 if a subject is by key]."`
	KeyForm  string      `placeholder:"FORM" help:"Where the key is: bytes, the first 8 bytes; field, the second of fields with commas; json, the member k of an object [bytes]."`
	Rounds   cli.Count   `placeholder:"N" default:"5" help:"Timed runs of each subject [${default}]."`
	Out      string      `placeholder:"FILE" help:"JSON of everything, for feedgate report."`
	FailIf   []string    `sep:"none" placeholder:"[SUBJECT:]EXPR" help:"Exit 99 if so, such as p99_us>2000; repeatable."`
}

// Help returns the part of bench's help before the flags.
func (benchCmd) Help() string {
	var b strings.Builder
	b.WriteString(`One feed process serves all subjects. Each subject is a process of its own. They run in turn, round after round, after an untimed round. The results are medians and their spread: the interval that contains the true median with a confidence of 95%, or minimum and maximum with fewer than 6 rounds.

Examples:

    feedgate bench
    feedgate bench --subjects limit,channels,feedgate --size 64,1024 --workers 1,2,4 --out now.json
    feedgate bench --rate 100000 --duration 10s --fail-if 'p99_us>2000'
    feedgate bench --msgs 20000000 --work 200ns --rounds 9 --fail-if 'of_limit<0.4'
    feedgate bench --subjects limit,feedgate,feedgate@/tmp/old/feedgate-bench    two builds side by side

SUBJECT@PATH is the subject in another build: PATH is its feedgate-bench, or an older feedgate that contains the subjects.

Subjects, * measured by default, and the questions that they answer:

`)
	for _, s := range bench.Subjects {
		mark := " "
		if s.Default {
			mark = "*"
		}
		fmt.Fprintf(&b, "    %-18s%s %s\n", s.Name, mark, s.Doc)
		if s.Question != "" {
			fmt.Fprintf(&b, "%24s%s\n", "", s.Question)
		}
	}
	b.WriteString(`
A threshold is a figure of a result row, one of < <= > >= == != and a number. Without a subject it applies to feedgate, or to all subjects if feedgate is not measured. An unknown figure crosses it, and so does a missing subject.

System calls are counted by a kernel tracepoint, which requires root; otherwise they are unknown.

Exit status: 0; 1 a subject failed, or lost an ack or sent one twice; 2 usage; 99 a --fail-if threshold was crossed.`)
	return b.String()
}

// Run measures, writes the file and prints the table.
func (c *benchCmd) Run(ctx context.Context, g *globals) error {
	config, thresholds, err := c.config()
	if err != nil {
		return cli.Usage(err)
	}
	if config.Self, err = os.Executable(); err != nil {
		return err
	}
	out, err := c.open()
	if err != nil {
		return err
	}
	observe, end := bench.NewProgress(g.screen())
	file, err := bench.Run(ctx, config, observe)
	end()
	if file == nil || len(file.Rows) == 0 {
		return errors.Join(err, out.discard())
	}
	file.Meta.Command = append([]string{"feedgate"}, os.Args[1:]...)
	_, file.Meta.Commit = cli.Version(version, revision)
	// The file first: if nobody reads the table, SIGPIPE ends the process.
	err = errors.Join(err, out.write(file))
	for _, note := range file.Meta.Notes {
		fmt.Fprintf(g.stderr, "feedgate: %s\n", note)
	}
	err = errors.Join(err, report.WriteTable(g.stdout, file.Rows))
	if err != nil {
		return err
	}
	return crossed(thresholds, file.Rows)
}

// crossed returns an error with the thresholds that the rows cross.
func crossed(thresholds []bench.Threshold, rows []bench.Row) error {
	var faults faults.List
	for _, t := range thresholds {
		for _, line := range t.Crossed(rows) {
			faults.Add("--fail-if", errors.New(line))
		}
	}
	if err := faults.Err(); err != nil {
		return cli.ExitError{Code: exitThreshold, Err: err}
	}
	return nil
}

// config returns the configuration and the thresholds, and an error with every fault.
func (c *benchCmd) config() (bench.Config, []bench.Threshold, error) {
	config := bench.Config{
		Sizes: ints(c.Size), Workers: ints(c.Workers), Msgs: c.Msgs, Duration: time.Duration(c.Duration),
		Rate: c.Rate, Work: time.Duration(c.Work), Read: c.Read, Rounds: int(c.Rounds),
		Keys: c.Keys, KeyForm: c.KeyForm,
	}
	if c.Subjects != "" {
		for name := range strings.SplitSeq(c.Subjects, ",") {
			config.Subjects = append(config.Subjects, strings.TrimSpace(name))
		}
	}
	var faults faults.List
	faults.AddErr(config.Validate())
	var thresholds []bench.Threshold
	for _, text := range c.FailIf {
		t, err := bench.ParseThreshold(text)
		if err == nil && t.Subject() != "" && !config.Measures(t.Subject()) {
			err = fmt.Errorf("%q: %s is not measured; name it in --subjects", text, t.Subject())
		}
		faults.Add("--fail-if", err)
		thresholds = append(thresholds, t)
	}
	return config, thresholds, faults.Err()
}

// outFile is the file of --out, or none. It is opened before the measurements, and keeps its old
// content until they are complete.
type outFile struct {
	*os.File
	created bool // by this run
}

func (c *benchCmd) open() (outFile, error) {
	if c.Out == "" {
		return outFile{}, nil
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY, 0)
	created := errors.Is(err, fs.ErrNotExist)
	if created {
		f, err = os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE, 0o666)
	}
	if err != nil {
		return outFile{}, fmt.Errorf("--out: %w", err)
	}
	return outFile{f, created}, nil
}

func (o outFile) write(file *bench.File) error {
	if o.File == nil {
		return nil
	}
	err := o.Truncate(0)
	if info, statErr := o.Stat(); statErr == nil && !info.Mode().IsRegular() {
		err = nil // a pipe or a terminal
	}
	if err = errors.Join(err, file.Encode(o.File), o.File.Close()); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// discard closes the file, and removes it if it was created.
func (o outFile) discard() error {
	if o.File == nil {
		return nil
	}
	err := o.Close()
	if o.created {
		err = errors.Join(err, os.Remove(o.Name()))
	}
	return err
}
