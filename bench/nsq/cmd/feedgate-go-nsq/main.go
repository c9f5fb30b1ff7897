// Command feedgate-go-nsq is a subject of feedgate bench: a consumer of
// github.com/nsqio/go-nsq.
package main

import (
	"feedgate/bench"
	"feedgate/bench/nsq"
)

func main() { bench.ProgramMain("feedgate-go-nsq", nsq.GoNSQ) }
