package bench

import "fmt"

// rows summarizes the rounds in one row per subject. The first round is the warm-up. Without
// another one there are no rows.
func (h *harness) rows(contenders []contender, l load, rounds [][]sample) []Row {
	if len(rounds) < 2 {
		return nil
	}
	limit := -1
	for i, c := range contenders {
		if c.label == "limit" {
			limit = i
		}
	}
	all := make([]Row, len(contenders))
	for i, c := range contenders {
		row := Row{
			Subject: c.label, Protocol: c.Protocol, Size: l.size, Workers: l.workers,
			WorkNS: h.cfg.Work.Nanoseconds(), RateOffered: h.cfg.Rate,
			Spread: make(map[string]Interval), Latency: []Percentile{}, Faults: []string{},
		}
		var runs []map[string]float64
		var latency [][]float64
		for round, samples := range rounds {
			row.addFaults(round, &samples[i])
			if round == 0 || !samples[i].completed() {
				continue
			}
			row.Rounds++
			f := samples[i].figures(l)
			if limit >= 0 && samples[limit].completed() && samples[limit].MsgsPerS > 0 {
				f["of_limit"] = samples[i].MsgsPerS / samples[limit].MsgsPerS
			}
			runs = append(runs, f)
			if len(samples[i].Latency) == len(percentiles) {
				latency = append(latency, samples[i].Latency)
			}
		}
		if warm := &rounds[0][i]; warm.syscalls != nil && warm.Acknowledged > 0 {
			perMsg := *warm.syscalls / float64(warm.Acknowledged)
			row.SyscallsPerMsg = &perMsg
		}
		row.sum(runs, latency)
		all[i] = row
	}
	return all
}

// completed reports whether the run was completed, so that its figures are valid.
func (sm *sample) completed() bool {
	return sm.fault == "" && sm.Failures == "" && !sm.GaveUp && sm.Acknowledged > 0
}

// addFaults adds the faults of a run. Missing and surplus acks are only counted.
func (r *Row) addFaults(round int, sm *sample) {
	r.Missing += sm.Missing
	r.Duplicate += sm.Duplicate
	r.Unknown += sm.Unknown
	when := fmt.Sprintf("round %d", round)
	if round == 0 {
		when = "warm-up"
	}
	fault := func(format string, args ...any) {
		r.Faults = append(r.Faults, when+": "+fmt.Sprintf(format, args...))
	}
	if sm.GaveUp {
		fault("stopped: no progress")
	}
	if sm.fault != "" {
		fault("%s", sm.fault)
	}
	if sm.Failures != "" {
		fault("feed: %s", sm.Failures)
	}
	if n := sm.Refused; n > 0 {
		fault("%d messages were refused", n)
	}
	if n := sm.Early; n > 0 {
		fault("%d acks arrived before their messages were sent", n)
	}
	if n := sm.ProtocolErrors; n > 0 {
		fault("%d protocol errors", n)
	}
	if n := sm.Connections; n > 1 {
		fault("%d connections instead of one", n)
	}
	if sm.Acknowledged == 0 && sm.fault == "" {
		fault("no message was acknowledged")
	}
}

// figures returns the figures of a run by their names in rows.
func (sm *sample) figures(l load) map[string]float64 {
	n := float64(sm.Acknowledged)
	f := map[string]float64{
		"msgs":                n,
		"seconds":             sm.Seconds,
		"msgs_per_s":          sm.MsgsPerS,
		"mb_per_s":            sm.MsgsPerS * float64(l.size) / 1e6,
		"feed_cpu_ns_per_msg": sm.CPUNS / n,
	}
	if len(sm.Latency) > 0 {
		f["p50_us"], f["p99_us"], f["p999_us"], f["max_us"] = sm.P50US, sm.P99US, sm.P999US, sm.MaxUS
	}
	if v := sm.own.CPUNS; v != nil {
		f["cpu_ns_per_msg"] = *v / n
	}
	if v := sm.own.Allocs; v != nil {
		f["allocs_per_msg"] = *v / n
	}
	if v := sm.own.RSSBytes; v != nil {
		f["rss_mb"] = *v / (1 << 20)
	}
	return f
}

// sum sets the row's figures to the medians over the rounds.
func (r *Row) sum(runs []map[string]float64, latency [][]float64) {
	for _, m := range figures {
		var values []float64
		for _, f := range runs {
			if v, known := f[m.name]; known {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			continue
		}
		middle, spread := median(values)
		*m.at(r) = &middle
		r.Spread[m.name] = spread
	}
	if len(latency) == 0 {
		return
	}
	for i, p := range percentiles {
		var values []float64
		for _, l := range latency {
			values = append(values, l[i])
		}
		middle, spread := median(values)
		r.Latency = append(r.Latency, Percentile{p, middle, spread})
	}
}
