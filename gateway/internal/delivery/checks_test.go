package delivery_test

import (
	"flag"
	"testing"
)

// The checks cost little here, so their short form is as long as the other, unless the command
// line says otherwise.
func init() {
	testing.Init()
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
}
