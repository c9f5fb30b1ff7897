package faults

import (
	"errors"
	"testing"

	"feedgate/worker"
)

func TestFaults(t *testing.T) {
	var f List
	f.Add("--size", nil)
	f.Check(true, "--size: %d is odd", 3)
	f.AddErr(nil)
	f.CheckMaxMessage(1)
	f.CheckMaxMessage(worker.MaxMessage)
	f.CheckHeartbeat(0)
	if err := f.Err(); err != nil {
		t.Fatalf("%v without a fault", err)
	}
	cause := errors.New("is taken")
	f.Add("--name", cause)
	f.Check(false, "--size: %d is odd", 3)
	f.AddErr(errors.New("--path: none"))
	f.CheckMaxMessage(0)
	f.CheckMaxMessage(worker.MaxMessage + 1)
	f.CheckHeartbeat(-1)
	err := f.Err()
	const want = "--name: is taken\n--size: 3 is odd\n--path: none\n--max-message: 0 is not from 1 to 1073741824\n" +
		"--max-message: 1073741825 is not from 1 to 1073741824\n--heartbeat: -1ns is negative"
	if !errors.Is(err, cause) || err.Error() != want {
		t.Errorf("%v, want\n%s", err, want)
	}
}
