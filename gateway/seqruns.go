package gateway

// seqRun says that places from place on, up to the next run's, hold consecutive
// sequence numbers from seq on.
type seqRun struct {
	place uint64
	seq   uint64
	late  bool // filled a gap: its numbers are below ones that came before
	gone  bool // of a session or connection that is over: never acked
}

// seqRuns maps the places of the window to sequence numbers and back. There is
// one run for each break in the numbers, so nearly always one in all.
type seqRuns struct {
	list []seqRun // by place
	hint int      // where the last search ended
	late int      // late runs in list that are not gone
	low  uint64   // last sequence number, in order, below the window; 0: none
}

// append adds a message run at the end; place is where it starts.
func (r *seqRuns) append(place, seq uint64, late bool) {
	if n := len(r.list); n > 0 {
		last := &r.list[n-1]
		if !last.gone && last.late == late && last.seq+(place-last.place) == seq {
			return
		}
	}
	if late {
		r.late++
	}
	r.list = append(r.list, seqRun{place: place, seq: seq, late: late})
}

// forsake marks all runs gone; what is appended next starts anew.
func (r *seqRuns) forsake() {
	for i := range r.list {
		r.list[i].gone = true
	}
	r.low, r.late = 0, 0
}

// eachGone calls f with the places in [base, next) whose acks were given up.
func (r *seqRuns) eachGone(base, next uint64, f func(place, n uint64)) {
	for i := range r.list {
		from, end := max(r.list[i].place, base), r.endOf(i, next)
		if r.list[i].gone && from < end {
			f(from, end-from)
		}
	}
}

// eachIn calls f with the places in [base, next) that hold numbers of the living
// session in r.
func (r *seqRuns) eachIn(in seqRange, base, next uint64, f func(place, n uint64)) {
	for i := range r.list {
		run := &r.list[i]
		from, end := max(run.place, base), r.endOf(i, next)
		if run.gone || from >= end {
			continue
		}
		first, last := run.seq+(from-run.place), run.seq+(end-run.place)-1
		if lo, hi := max(first, in.first), min(last, in.last); lo <= hi {
			f(run.place+(lo-run.seq), hi-lo+1)
		}
	}
}

// eachLate calls f with the places in [base, next) of messages that filled gaps,
// with numbers up to seq.
func (r *seqRuns) eachLate(seq, base, next uint64, f func(place, n uint64)) {
	if r.late == 0 {
		return
	}
	for i := range r.list {
		run := &r.list[i]
		from, end := max(run.place, base), r.endOf(i, next)
		if !run.late || run.gone || from >= end || run.seq+(from-run.place) > seq {
			continue
		}
		f(from, min(end-from, seq-(run.seq+(from-run.place))+1))
	}
}

// endOf is the place behind the i-th run, the window ending at next.
func (r *seqRuns) endOf(i int, next uint64) uint64 {
	if i+1 < len(r.list) {
		return r.list[i+1].place
	}
	return next
}

// passed drops the runs that lie below base whole, and notes the last sequence
// number below it.
func (r *seqRuns) passed(base uint64) {
	drop := 0
	for i := range r.list {
		run := &r.list[i]
		if run.place >= base {
			break
		}
		end := min(base, r.endOf(i, base))
		if !run.late && !run.gone {
			r.low = run.seq + (end - run.place) - 1
		}
		if i+1 < len(r.list) && r.list[i+1].place <= base {
			drop = i + 1
		}
	}
	for _, run := range r.list[:drop] {
		if run.late && !run.gone {
			r.late--
		}
	}
	if drop > 0 {
		r.list = append(r.list[:0], r.list[drop:]...)
		r.hint = 0
	}
}

// at returns the run that holds place, and how many places of it follow from
// place on, at most n.
func (r *seqRuns) at(place uint64, n int) (run *seqRun, length int) {
	i := r.find(place)
	run = &r.list[i]
	if i+1 < len(r.list) {
		n = int(min(uint64(n), r.list[i+1].place-place))
	}
	return run, n
}

func (r *seqRuns) find(place uint64) int {
	i := min(r.hint, len(r.list)-1)
	for r.list[i].place > place {
		i--
	}
	for i+1 < len(r.list) && r.list[i+1].place <= place {
		i++
	}
	r.hint = i
	return i
}

// place finds the place of a sequence number of the living session among the
// places in [base, next).
func (r *seqRuns) place(seq, base, next uint64) (uint64, bool) {
	for k := range r.list {
		i := (r.hint + k) % len(r.list)
		run := &r.list[i]
		end := r.endOf(i, next)
		if run.gone || seq < run.seq || seq-run.seq >= end-run.place {
			continue
		}
		r.hint = i
		p := run.place + (seq - run.seq)
		return p, p >= base
	}
	return 0, false
}

// watermark is the highest sequence number up to which every message of the
// session is below the window: what a server need not send again.
func (r *seqRuns) watermark(base, next uint64) uint64 {
	mark := r.low
	for i := range r.list {
		run := &r.list[i]
		if !run.late || run.gone {
			continue
		}
		first, end := max(run.place, base), r.endOf(i, next)
		if first < end {
			mark = min(mark, max(run.seq+(first-run.place), 1)-1)
		}
	}
	return mark
}
