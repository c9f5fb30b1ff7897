package admin

import (
	"strconv"

	"feedgate/gateway"
)

// labels are the labels of all upstreams. Two gateways may share what [gateway.Label]
// leaves of their URLs; from the second on they are told apart by #2 and so on,
// in their order, since a series must be one gateway's.
func labels(upstreams []Upstream) []string {
	all := make([]string, len(upstreams))
	times := make(map[string]int)
	for i, upstream := range upstreams {
		label := gateway.Label(upstream.URL)
		times[label]++
		all[i] = label
		if n := times[label]; n > 1 {
			all[i] += "#" + strconv.Itoa(n)
		}
	}
	return all
}
