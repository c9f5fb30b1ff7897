package throttle

import (
	"slices"
	"time"
)

// Every is the shortest time between two log lines of one kind.
const Every = time.Second

// Kind identifies log lines about the same thing.
type Kind struct{ Message, Detail string }

// Limiter decides when repeated events are logged: the first of a kind at once, and those that follow
// within Every as one line. The owner provides the clock and calls Flush at the time that Due returns.
// The zero value is ready for use.
type Limiter struct {
	kinds []kindState // few; in the order of their first events
}

// kindState is the state of one kind.
type kindState struct {
	Kind
	until  time.Duration // earliest time of the next line
	events int           // not logged yet
	latest time.Duration // when the last event was added
	write  func(events int)
}

// Add logs an event by calling write, now or later. Several events are logged by one call of the latest
// write, with their number.
func (l *Limiter) Add(now time.Duration, kind Kind, write func(events int)) {
	s := l.find(kind)
	if s == nil {
		l.forget(now)
		s = l.append(kind)
	}
	s.events, s.latest, s.write = s.events+1, now, write
	if now >= s.until {
		s.log(now)
	}
}

// Defer is like Add, but leaves the line to the next Flush, so that write can sum up the events until
// then.
func (l *Limiter) Defer(kind Kind, write func(events int)) {
	s := l.find(kind)
	if s == nil {
		s = l.append(kind)
	}
	s.events, s.write = s.events+1, write
}

// Flush logs what is due.
func (l *Limiter) Flush(now time.Duration) {
	for i := range l.kinds {
		if s := &l.kinds[i]; s.events > 0 && now >= s.until {
			s.log(now)
		}
	}
}

// Due returns when to call Flush; 0: nothing is waiting.
func (l *Limiter) Due() (due time.Duration) {
	for i := range l.kinds {
		if s := &l.kinds[i]; s.events > 0 && (due == 0 || s.until < due) {
			due = max(1, s.until)
		}
	}
	return due
}

// End logs everything that is waiting, oldest event first.
func (l *Limiter) End(now time.Duration) {
	slices.SortStableFunc(l.kinds, func(a, b kindState) int { return int(a.latest - b.latest) })
	for i := range l.kinds {
		if s := &l.kinds[i]; s.events > 0 {
			s.log(now)
		}
	}
}

func (l *Limiter) find(kind Kind) *kindState {
	for i := range l.kinds {
		if l.kinds[i].Kind == kind {
			return &l.kinds[i]
		}
	}
	return nil
}

func (l *Limiter) append(kind Kind) *kindState {
	l.kinds = append(l.kinds, kindState{Kind: kind})
	return &l.kinds[len(l.kinds)-1]
}

// forget drops the kinds whose next line may be logged at once, as they may never occur again.
func (l *Limiter) forget(now time.Duration) {
	l.kinds = slices.DeleteFunc(l.kinds, func(s kindState) bool { return s.events == 0 && now >= s.until })
}

func (s *kindState) log(now time.Duration) {
	events, write := s.events, s.write
	s.until, s.events, s.write = now+Every, 0, nil
	write(events)
}
