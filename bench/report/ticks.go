package report

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// tickText formats a round number as briefly as possible.
func tickText(v float64) string {
	scale, unit := magnitude(math.Abs(v))
	return strconv.FormatFloat(v/scale, 'g', 6, 64) + unit
}

// axisTicks are alternatives for an axis, from the most labels to the fewest.
type axisTicks []plot.ConstantTicks

// labelGap is the least distance of two labels.
const labelGap = vg.Length(5)

// fit gives the axis, of this length, the first ticks whose labels keep their distance. If there
// are none, the last ones lose labels that are too close to the one before. extent returns the
// length of a label along the axis.
func (a axisTicks) fit(axis *plot.Axis, length vg.Length, extent func(label string) vg.Length) {
	place := func(t plot.Tick) (from, to vg.Length) {
		center, wide := vg.Length(axis.Norm(t.Value))*length, extent(t.Label)
		return center - wide/2, center + wide/2
	}
	for i, ticks := range a {
		a[i] = slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < axis.Min || t.Value > axis.Max })
	}
	for _, ticks := range a {
		if thinned := spaced(ticks, place); len(thinned) == len(ticks) && labelled(thinned) == labelled(ticks) {
			axis.Tick.Marker = ticks
			return
		}
	}
	axis.Tick.Marker = spaced(a[len(a)-1], place)
}

// spaced returns the ticks without labels that are too close to the one before.
func spaced(ticks plot.ConstantTicks, place func(plot.Tick) (from, to vg.Length)) plot.ConstantTicks {
	kept := make(plot.ConstantTicks, len(ticks))
	free := vg.Length(math.Inf(-1))
	for i, t := range ticks {
		kept[i] = t
		if t.Label == "" {
			continue
		}
		from, to := place(t)
		if from < free {
			kept[i].Label = ""
			continue
		}
		free = to + labelGap
	}
	return kept
}

// labelled returns the number of labels.
func labelled(ticks plot.ConstantTicks) (n int) {
	for _, t := range ticks {
		if t.Label != "" {
			n++
		}
	}
	return n
}

// linearTicks returns ticks from 0 to most, in steps of 1, 2 or 5 times a power of ten: 4 to 9 in
// addition to 0, of which each, every second or every fifth has a label.
func linearTicks(most float64, text func(float64) string) axisTicks {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	switch leading := most / step; {
	case leading < 2:
		step /= 5
	case leading < 4:
		step /= 2
	}
	var all axisTicks
	for _, stride := range []int{1, 2, 5} {
		var ticks plot.ConstantTicks
		for i := 0; float64(i)*step <= most; i++ {
			t := plot.Tick{Value: float64(i) * step}
			if i%stride == 0 {
				t.Label = text(t.Value)
			}
			ticks = append(ticks, t)
		}
		all = append(all, ticks)
	}
	return all
}

// logTicks returns ticks at the digits of the decades from lo to hi. All of them have labels in a
// narrow range, 1, 2 and 5 in a wider one, else only decades, each or every second and so on.
func logTicks(lo, hi float64, text func(float64) string) axisTicks {
	first, last := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	ticks := func(wanted func(exponent, digit float64) bool) (all plot.ConstantTicks) {
		for exponent := first; exponent <= last; exponent++ {
			for digit := 1.0; digit < 10; digit++ {
				t := plot.Tick{Value: digit * math.Pow(10, exponent)}
				if t.Value < lo || t.Value > hi {
					continue
				}
				if wanted(exponent, digit) {
					t.Label = text(t.Value)
				}
				all = append(all, t)
			}
		}
		return all
	}
	var all axisTicks
	if hi/lo < 10 {
		all = append(all, ticks(func(_, _ float64) bool { return true }))
	}
	if hi/lo < 300 {
		all = append(all, ticks(func(_, digit float64) bool { return digit == 1 || digit == 2 || digit == 5 }))
	}
	for stride := max(math.Ceil((last-first)/maxDecades), 1); stride <= max(last-first, 1); stride++ {
		all = append(all, ticks(func(exponent, digit float64) bool {
			return digit == 1 && math.Mod(exponent-first, stride) == 0
		}))
	}
	return all
}

// maxDecades is how many decades have labels at most.
const maxDecades = 8

// wide extends lo to hi to a logarithmic range with at least three labels.
func wide(lo, hi float64) (float64, float64) {
	if short := 4 / (hi / lo); short > 1 {
		return lo / math.Sqrt(short), hi * math.Sqrt(short)
	}
	return lo, hi
}

// valueTicks returns ticks at ascending values.
func valueTicks(values []float64, text func(float64) string) axisTicks {
	ticks := make(plot.ConstantTicks, len(values))
	for i, v := range values {
		ticks[i] = plot.Tick{Value: v, Label: text(v)}
	}
	return axisTicks{ticks}
}

// percentileTicks returns ticks at the percentiles 0, 50, 90, 99, 99.9 and so on. The value of a
// tick is 1/(1-p), up to most.
func percentileTicks(most float64) axisTicks {
	values := []float64{1, 2, 10}
	for v := 100.0; v <= most*1.001; v *= 10 {
		values = append(values, v)
	}
	return valueTicks(values, percentile)
}

// percentile formats the percentile of a value 1/(1-p).
func percentile(inverse float64) string {
	decimals := max(int(math.Round(math.Log10(inverse)))-2, 0)
	return strconv.FormatFloat(100-100/inverse, 'f', decimals, 64) + "%"
}
