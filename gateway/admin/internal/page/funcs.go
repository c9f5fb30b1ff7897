package page

import (
	"fmt"
	"hash/fnv"
	"html/template"
	"math"
	"strconv"
	"strings"

	"feedgate/gateway/admin/view"
)

// funcs are the functions of the templates.
var funcs = template.FuncMap{
	"bytes":    func(n float64) view.Bytes { return view.Bytes(n) },
	"count":    func(n float64) view.Count { return view.Count(n) },
	"detail":   view.Detail,
	"fullest":  fullest,
	"gauge":    func(now float64, limit view.Count) view.Gauge { return view.Gauge{Now: now, Limit: float64(limit)} },
	"id":       elementID,
	"known":    func(s view.Seconds) bool { return !math.IsNaN(float64(s)) },
	"percent":  func(s view.Share) string { return strconv.FormatFloat(100*float64(s), 'f', 1, 64) },
	"ringPath": newRingChart,
	"stopped":  view.StoppedBy,
	"troubled": newTroubled,
	"waits":    (*view.Upstream).What,
}

// elementID is the id of an upstream's element.
func elementID(label string) string {
	h := fnv.New64a()
	h.Write([]byte(label))
	return "u" + strconv.FormatUint(h.Sum64(), 36)
}

// fullest returns the share of the fullest ring to a worker.
func fullest(u view.Upstream) view.Share {
	most := 0.0
	for _, r := range u.Rings {
		most = max(most, r.In)
	}
	return view.Gauge{Now: most, Limit: float64(u.RingLimit)}.Share()
}

// ringChart is a bar for each ring to a worker, in an SVG path.
type ringChart struct {
	Width int
	Path  string
}

const ringHeight = 16

func newRingChart(u view.Upstream) *ringChart {
	if len(u.Rings) == 0 || u.RingLimit == 0 {
		return nil
	}
	var path strings.Builder
	for i, r := range u.Rings {
		height := ringHeight * min(r.In/float64(u.RingLimit), 1)
		if r.In > 0 {
			fmt.Fprintf(&path, "M%d %dv%.1fh3v%.1fz", 4*i, ringHeight, -max(height, 1), max(height, 1))
		}
	}
	return &ringChart{4*len(u.Rings) - 1, path.String()}
}

// maxTroubled is the most upstreams that the top of the page names.
const maxTroubled = 6

// troubled are upstreams to look at, if there are several.
type troubled struct {
	Rows []view.Upstream
	More int
}

// newTroubled returns nil if all are well, or there is only one upstream.
func newTroubled(v *view.View) *troubled {
	t := &troubled{}
	if len(v.Upstreams) < 2 {
		return nil
	}
	for _, level := range []view.Level{view.Fault, view.Busy} {
		for _, u := range v.Upstreams {
			switch {
			case u.Level != level:
			case len(t.Rows) < maxTroubled:
				t.Rows = append(t.Rows, u)
			default:
				t.More++
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}
