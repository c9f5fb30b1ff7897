package bench

import "time"

// Progress is the progress of a run of the harness.
type Progress struct {
	Done, Total int // runs of a subject, warm-up included
	Subject     string
	Size        int
	Workers     int
	Round       int // 0: warm-up
	Rounds      int

	Acknowledged uint64        // so far, in the current run
	Left         time.Duration // estimated
	Ended        bool          // the current run has ended
	MsgsPerS     float64       // of a run that has ended
	Fault        string        // of a run that has ended; empty: none
}

// watch reports the progress to an observer.
type watch struct {
	observe func(Progress)
	at      Progress
	begun   time.Time
	took    map[string]time.Duration // duration of the last run, by subject
}

func newWatch(observe func(Progress), cfg *Config, subjects int) *watch {
	return &watch{
		observe: observe,
		at:      Progress{Total: subjects * len(cfg.loads()) * (cfg.Rounds + 1), Rounds: cfg.Rounds},
		took:    make(map[string]time.Duration),
	}
}

func (w *watch) begin(subject string, l load, round int) {
	w.begun = time.Now()
	w.at.Subject, w.at.Size, w.at.Workers, w.at.Round = subject, l.size, l.workers, round
	w.at.Ended, w.at.MsgsPerS, w.at.Fault = false, 0, ""
	w.moved(0)
}

func (w *watch) moved(acknowledged uint64) {
	w.at.Acknowledged = acknowledged
	w.at.Left = w.left()
	w.observe(w.at)
}

func (w *watch) end(sm *sample) {
	took := time.Since(w.begun)
	w.took[w.at.Subject] = took
	w.at.Done++
	w.at.Ended, w.at.MsgsPerS, w.at.Fault = true, sm.MsgsPerS, sm.fault
	w.begun = time.Now()
	w.moved(sm.Acknowledged)
}

// left estimates the duration of the remaining runs by the average of the last run of each subject so far.
func (w *watch) left() time.Duration {
	if len(w.took) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range w.took {
		sum += d
	}
	average := sum / time.Duration(len(w.took))
	left := average * time.Duration(w.at.Total-w.at.Done)
	if !w.at.Ended {
		left -= min(time.Since(w.begun), average)
	}
	return left
}
