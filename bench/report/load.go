package report

import (
	"time"

	"feedgate/bench"
)

// load has the parameters of a measurement. Only rows of one load are compared.
type load struct {
	size     int // bytes
	workers  int
	workNS   int64
	rate     float64 // messages a second; 0: flat out
	protocol string
}

func loadOf(r *bench.Row) load {
	return load{r.Size, r.Workers, r.WorkNS, r.RateOffered, r.Protocol}
}

// String describes the load. Charts omit the parameter on their axis, see without.
func (l load) String() string { return l.without("") }

// without describes the load, except for "size" or "workers".
func (l load) without(varied string) string {
	var p parts
	p.add(varied != "size", "%s payload", payload(l.size))
	p.add(varied != "workers", "%s", count(l.workers, "worker"))
	p.add(l.workNS > 0, "%v of work per message", time.Duration(l.workNS))
	if l.rate > 0 {
		p.add(true, "%s msg/s offered", thousands(l.rate))
	} else {
		p.add(true, "flat out")
	}
	p.add(l.protocol != "", "protocol %s", shorten(clean(l.protocol)))
	return p.String()
}

// group has the rows with one key, in the order of their file.
type group[K comparable] struct {
	key  K
	rows []*bench.Row
}

// grouped groups rows by key, in order of the first occurrence of keys.
func grouped[K comparable](rows []*bench.Row, key func(*bench.Row) K) []group[K] {
	var all []group[K]
	at := make(map[K]int)
	for _, r := range rows {
		k := key(r)
		i, known := at[k]
		if !known {
			i = len(all)
			at[k] = i
			all = append(all, group[K]{key: k})
		}
		all[i].rows = append(all[i].rows, r)
	}
	return all
}
