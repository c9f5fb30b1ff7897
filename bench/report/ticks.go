package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// tickText is a round number, written as short as it can be.
func tickText(v float64) string {
	scale, unit := magnitude(math.Abs(v))
	return strconv.FormatFloat(v/scale, 'g', 6, 64) + unit
}

// linearTicks are steps of 1, 2 or 5 times a power of ten from 0 to most, 4 to 9
// of them beside 0.
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

// logTicks are the powers of ten from lo to hi, at most 8 of them labelled, with
// ticks between. In a narrow range those between are labelled as well.
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

// wide is a logarithmic range with room for at least three labels around lo to hi.
func wide(lo, hi float64) (float64, float64) {
	if short := 4 / (hi / lo); short > 1 {
		return lo / math.Sqrt(short), hi * math.Sqrt(short)
	}
	return lo, hi
}

// leastGap is the distance of two labels, as a part of the axis.
const leastGap = 0.09

// valueTicks are ticks at ascending values; one whose label would touch the one
// before has none. at is where on its axis, from 0 to 1, a value stands.
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

// percentileTicks are the percentiles 0, 50, 90, 99, 99.9 and so on up to an
// inverse of what is left above them.
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
