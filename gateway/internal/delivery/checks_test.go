package delivery_test

import (
	"flag"
	"testing"
)

// A check costs microseconds here, so the default number is high.
func init() {
	testing.Init()
	if err := flag.Set("rapid.checks", "20000"); err != nil {
		panic(err)
	}
}
