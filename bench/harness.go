package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrUnsound is in the error of Run if a subject failed, or lost an ack or sent one twice. The rows of
// the file have the details.
var ErrUnsound = errors.New("not every message was acknowledged exactly once")

// warmUp bounds the duration of the untimed round, per subject.
const warmUp = time.Second

// harness is the state of one call of Run.
type harness struct {
	cfg   Config
	feeds map[string]origin // by [originArg]
	watch *watch
	notes []string
	// For subjects over TLS: the feed's certificate, and the path of a file with it.
	certificate certificate
	ca          string
	// uncounted is why system calls are not counted; nil: they are.
	uncounted error
}

// Run measures every subject under every load, round after round, and calls observe with its progress.
// If ctx ends before, it returns the finished rounds and an error. The caller fills in Command and
// Commit of the meta data.
func Run(ctx context.Context, cfg Config, observe func(Progress)) (*File, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &harness{cfg: cfg}
	contenders := h.present()
	if len(contenders) == 0 {
		return nil, errors.New("--subjects: none of them can run: " + h.notes[0])
	}
	done, err := h.secure(contenders)
	defer done()
	if err != nil {
		return nil, err
	}
	end, err := h.startOrigins(ctx, contenders)
	defer end()
	if err != nil {
		return nil, err
	}

	file := &File{Meta: machine(), Rows: []Row{}}
	file.Meta.Rounds = cfg.Rounds
	h.watch = newWatch(observe, &cfg, len(contenders))
	for _, l := range cfg.loads() {
		rows, err := h.measureLoad(ctx, contenders, l)
		file.Rows = append(file.Rows, rows...)
		if err != nil {
			err = fmt.Errorf("ended before all rounds were measured: %w", cmp.Or(context.Cause(ctx), err))
			h.notes = append(h.notes, strings.ReplaceAll(err.Error(), "\n", ": "))
			file.Meta.Notes = h.remarks(file.Rows)
			return file, err
		}
	}
	file.Meta.Notes = h.remarks(file.Rows)
	for i := range file.Rows {
		if !file.Rows[i].Sound() {
			return file, ErrUnsound
		}
	}
	return file, nil
}

// remarks returns the notes, and those that follow from the rows.
func (h *harness) remarks(rows []Row) []string {
	all := h.notes
	if h.uncounted != nil {
		all = append(all, fmt.Sprintf("system calls were not counted: %v", h.uncounted))
	}
	offered := h.cfg.Rate * h.cfg.Duration.Seconds()
	for i := range rows {
		if r := &rows[i]; r.Msgs != nil && *r.Msgs < nearlyAll*offered {
			all = append(all, fmt.Sprintf("%s, %d bytes, %d workers: received %.0f of the %.0f messages due by --rate; the others are in no latency",
				r.Subject, r.Size, r.Workers, *r.Msgs, offered))
		}
	}
	return all
}

// nearlyAll is the share of the messages due that must be sent within a run for its latencies to be
// representative. They leave out messages that are not sent by its end.
const nearlyAll = 0.99

// present returns the contenders that can run, and adds a note for each of the others.
func (h *harness) present() (all []contender) {
	for _, label := range h.cfg.Subjects {
		c := newContender(label, h.cfg.Self)
		if why := c.absent(); why != "" {
			h.notes = append(h.notes, why)
			continue
		}
		all = append(all, c)
	}
	return all
}

// measureLoad measures all contenders under one load. rounds[0] is the warm-up.
func (h *harness) measureLoad(ctx context.Context, contenders []contender, l load) ([]Row, error) {
	rounds := make([][]sample, h.cfg.Rounds+1)
	for round := range rounds {
		samples := make([]sample, len(contenders))
		for turn := range contenders {
			i := (turn + round) % len(contenders)
			h.watch.begin(contenders[i].label, l, round)
			sm, err := h.measure(ctx, &contenders[i], l, round == 0)
			if err != nil {
				return h.rows(contenders, l, rounds[:round]), err
			}
			h.watch.end(&sm)
			samples[i] = sm
		}
		rounds[round] = samples
	}
	return h.rows(contenders, l, rounds), nil
}
