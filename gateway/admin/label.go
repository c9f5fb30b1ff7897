package admin

import "strconv"

// labels are the labels of all upstreams. A gateway that was found may have that of one that
// was given; from the second on they are told apart by #2 and so on, in their order, since a
// series must be one gateway's.
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
