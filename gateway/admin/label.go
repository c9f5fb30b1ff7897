package admin

import "strconv"

// labels returns the labels of all upstreams. A gateway found by discovery may have the label of
// a configured one. Repeated labels get #2 and so on, in order, because each series must belong
// to one gateway.
func labels(upstreams []Upstream) []string {
	all := make([]string, len(upstreams))
	times := make(map[string]int)
	for i, upstream := range upstreams {
		label := upstream.Label
		times[label]++
		all[i] = label
		if n := times[label]; n > 1 {
			all[i] += "#" + strconv.Itoa(n)
		}
	}
	return all
}
