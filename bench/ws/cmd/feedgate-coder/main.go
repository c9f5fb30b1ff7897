// Command feedgate-coder is a subject of feedgate bench: a client of
// github.com/coder/websocket.
package main

import (
	"feedgate/bench"
	"feedgate/bench/ws"
)

func main() { bench.ProgramMain("feedgate-coder", ws.Coder) }
