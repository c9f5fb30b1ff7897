package view

import "time"

const (
	// window is the time over which rates and quantiles are computed, once there are snapshots.
	window = 3 * time.Second
	// expiry is the age at which a snapshot becomes too old to compare with.
	expiry = 15 * time.Second
)

// History keeps the snapshots of the last seconds. Its owner calls it from one goroutine at a time.
type History struct {
	snapshots []*Snapshot // oldest first
}

// Add adds the latest snapshot.
func (h *History) Add(s *Snapshot) {
	h.snapshots = append(h.snapshots, s)
	first := 0
	for i, old := range h.snapshots[:len(h.snapshots)-1] {
		switch age := s.at.Sub(old.at); {
		case age > expiry:
			first = i + 1
		case age >= window:
			first = i
		}
	}
	h.snapshots = append([]*Snapshot(nil), h.snapshots[first:]...)
}

// Last returns when the latest snapshot was taken; zero: there is none.
func (h *History) Last() time.Time {
	if len(h.snapshots) == 0 {
		return time.Time{}
	}
	return h.snapshots[len(h.snapshots)-1].at
}

// View compares the latest snapshot, which must exist, with one that is about three seconds older, or the
// oldest one since.
func (h *History) View() *View {
	n := len(h.snapshots)
	if n == 1 {
		return New(nil, h.snapshots[0])
	}
	return New(h.snapshots[0], h.snapshots[n-1])
}
