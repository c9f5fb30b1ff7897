// Command feedgate-gws is a subject of feedgate bench: a client of
// github.com/lxzan/gws.
package main

import (
	"feedgate/bench"
	"feedgate/bench/ws"
)

func main() { bench.ProgramMain("feedgate-gws", ws.GWS) }
