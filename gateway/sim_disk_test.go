package gateway

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"
)

// simDrive simulates the disk with the state file and the writing goroutine. A write takes time,
// fails, or hangs, and the process may die during it.
type simDrive struct {
	p       *simProcess
	wanted  bool // a write is requested
	write   *simWrite
	posted  []func() // for the loop's goroutine
	excused int      // sessions up to this index could not be written; -1: none
}

// simWrite is a write in progress.
type simWrite struct {
	entries map[string]stateEntry
	version uint64
	due     time.Duration
	fails   bool
}

// drawDisk has its own random source, so that it does not change simulations without a state file.
func (p *simPlan) drawDisk(r *rand.Rand) {
	p.diskTakes = among(r, 0, time.Microsecond, time.Millisecond, 300*time.Millisecond)
	p.diskFails, p.diskHangs = among(r, 0, 0, 20, 80), among(r, 0, 0, 10, 50)
	p.bias[simDisk] = among(r, 1, 3, 3, 10)
}

// post implements env.
func (p *simProcess) post(f func()) { p.drive.posted = append(p.drive.posted, f) }

// ready reports whether a write can begin or end.
func (d *simDrive) ready() bool {
	if d.write == nil {
		return d.wanted
	}
	return d.p.s.clock >= d.write.due
}

// due returns when the write in progress ends; 0: there is none.
func (d *simDrive) due() time.Duration {
	if d.write == nil {
		return 0
	}
	return d.write.due
}

// move begins a write or ends the one in progress.
func (d *simDrive) move() {
	s := d.p.s
	if d.write != nil {
		d.finish()
		return
	}
	d.wanted = false
	state := d.p.cfg.State
	entries, version := state.snapshot()
	if entries == nil {
		state.writeEnded(version, nil)
		return
	}
	w := &simWrite{entries: entries, version: version, due: s.clock + s.plan.diskTakes}
	if !s.calm {
		w.fails = chance(s.disk, s.plan.diskFails)
		if chance(s.disk, s.plan.diskHangs) {
			w.due += among(s.disk, time.Second, 5*time.Second, time.Minute)
		}
	}
	d.write = w
	s.note("write", version, uint64(w.due))
}

// finish ends the write in progress.
func (d *simDrive) finish() {
	s, w := d.p.s, d.write
	d.write = nil
	var err error
	if w.fails {
		s.note("no write", w.version, 0)
		err = errors.New("failed by the simulation")
		if x := s.oracle.session(w.entries[simURL].Session); x != nil {
			d.excused = max(d.excused, x.index)
		}
	} else {
		err = s.replaceFile(w.entries)
	}
	d.p.cfg.State.writeEnded(w.version, err)
}

// runPosted runs the oldest posted function.
func (d *simDrive) runPosted() {
	f := d.posted[0]
	d.posted = d.posted[1:]
	f()
	d.p.wakeLoop()
}

// end handles the end of the process. A write in progress happens entirely or not at all. A
// process that was not killed writes a last time.
func (d *simDrive) end(killed bool) {
	s := d.p.s
	if d.p.cfg.State == nil {
		return
	}
	if d.write != nil && s.disk.IntN(2) == 0 {
		d.finish()
	}
	if killed {
		return
	}
	if entries, version := d.p.cfg.State.snapshot(); entries != nil {
		d.p.cfg.State.writeEnded(version, s.replaceFile(entries))
	}
	if now := d.p.cfg.State.get(simURL); s.file[simURL] != now {
		s.failf("the process ends and the state file has %v, not %v", s.file[simURL], now)
	}
}

// replaceFile writes the state file and reads it back.
func (s *sim) replaceFile(entries map[string]stateEntry) error {
	b, err := encodeState(entries)
	if err != nil {
		return err
	}
	var f stateFile
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	s.file = f.Upstreams
	s.note("state", s.file[simURL].Seq, 0)
	return nil
}

// checkNamed checks that the file contains the session or a later one, so that the next process
// could resume it, unless the write failed.
func (p *simProcess) checkNamed(x *simSession) {
	if p.cfg.State == nil || x.id == "" || x.index <= p.drive.excused {
		return
	}
	if saved := p.s.oracle.session(p.s.file[simURL].Session); saved == nil || saved.index < x.index {
		p.s.failf("a message of session %q is handled, and the state file does not name it", x.id)
	}
}
