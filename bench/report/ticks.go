package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// tickText formats a round number as briefly as possible.
func tickText(v float64) string {
	scale, unit := magnitude(math.Abs(v))
	return strconv.FormatFloat(v/scale, 'g', 6, 64) + unit
}

// linearTicks returns 4 to 9 ticks in addition to 0, up to most, in steps of 1, 2 or 5 times a
// power of ten.
func linearTicks(most float64) plot.ConstantTicks {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	switch leading := most / step; {
	case leading < 2:
		step /= 5
	case leading < 4:
		step /= 2
	}
	var ticks plot.ConstantTicks
	for i := 0; float64(i)*step <= most; i++ {
		v := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: tickText(v)})
	}
	return ticks
}

// logTicks returns the powers of ten from lo to hi, at most 8 of them labelled, with minor ticks.
// In a narrow range minor ticks are labelled as well.
func logTicks(lo, hi float64) plot.ConstantTicks {
	first, last := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	stride := math.Ceil((last - first) / 8)
	labelled := func(exponent, digit float64) bool {
		switch {
		case digit == 1:
			return math.Mod(exponent-first, stride) == 0
		case digit == 2 || digit == 5:
			return hi/lo < 300
		}
		return hi/lo < 10
	}
	var ticks plot.ConstantTicks
	for exponent := first; exponent <= last; exponent++ {
		for digit := 1.0; digit < 10; digit++ {
			t := plot.Tick{Value: digit * math.Pow(10, exponent)}
			if t.Value < lo || t.Value > hi {
				continue
			}
			if labelled(exponent, digit) {
				t.Label = tickText(t.Value)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// wide extends lo to hi to a logarithmic range with at least three labels.
func wide(lo, hi float64) (float64, float64) {
	if short := 4 / (hi / lo); short > 1 {
		return lo / math.Sqrt(short), hi * math.Sqrt(short)
	}
	return lo, hi
}

// leastGap is the minimum distance of two labels, as a fraction of the axis.
const leastGap = 0.09

// valueTicks returns ticks at ascending values, without labels that would touch the previous one.
// at returns the position of a value on the axis, from 0 to 1.
func valueTicks(values []float64, at func(v float64) float64, text func(v float64) string) plot.ConstantTicks {
	ticks := make(plot.ConstantTicks, len(values))
	free := math.Inf(-1)
	for i, v := range values {
		ticks[i].Value = v
		if at(v) >= free {
			ticks[i].Label = text(v)
			free = at(v) + leastGap
		}
	}
	return ticks
}

// percentileTicks returns ticks at the percentiles 0, 50, 90, 99, 99.9 and so on. The value of a
// tick is 1/(1-p), up to most.
func percentileTicks(most float64) plot.ConstantTicks {
	ticks := plot.ConstantTicks{{Value: 1, Label: "0%"}, {Value: 2, Label: "50%"}, {Value: 10, Label: "90%"}}
	for decades := 2; math.Pow(10, float64(decades)) <= most*1.001; decades++ {
		ticks = append(ticks, plot.Tick{
			Value: math.Pow(10, float64(decades)),
			Label: strconv.FormatFloat(100-math.Pow(10, float64(2-decades)), 'f', max(decades-2, 0), 64) + "%",
		})
	}
	return ticks
}
