package report

// point is a value of a chart and the ends of its spread.
type point struct{ value, lo, hi float64 }

// Charts draw only values between these, which keeps logarithms and the number of ticks in bounds.
const (
	leastDrawn = 1e-6
	mostDrawn  = 1e12
)

// sane limits the spread to the bounds and makes it include the value. ok is false if the value is
// out of bounds.
func (p point) sane() (point, bool) {
	if !(p.value >= leastDrawn && p.value <= mostDrawn) {
		return p, false
	}
	bound := func(v float64) float64 { return min(max(v, leastDrawn), mostDrawn) }
	p.lo, p.hi = min(bound(p.lo), p.value), max(bound(p.hi), p.value)
	return p, true
}

// span formats the spread.
func (p point) span() string { return figure(p.lo) + "–" + figure(p.hi) }
