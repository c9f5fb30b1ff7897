// Command feedgate-nsq-inline is a subject of feedgate bench: a consumer of
// NSQ over a bare connection.
package main

import (
	"feedgate/bench"
	"feedgate/bench/nsq"
)

func main() { bench.ProgramMain("feedgate-nsq-inline", nsq.Inline) }
