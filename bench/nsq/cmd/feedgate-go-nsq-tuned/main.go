// Command feedgate-go-nsq-tuned is a subject of feedgate bench: a consumer of
// github.com/nsqio/go-nsq, tuned.
package main

import (
	"feedgate/bench"
	"feedgate/bench/nsq"
)

func main() { bench.ProgramMain("feedgate-go-nsq-tuned", nsq.GoNSQTuned) }
