package bench

import (
	"os"
	"os/exec"
	"testing"
)

// TestOnlySyscallsOfTheChildAreCounted: the child is a shell that writes one character at a time.
func TestOnlySyscallsOfTheChildAreCounted(t *testing.T) {
	counted := func(script string) uint64 {
		s, release, err := watchSyscalls()
		if err != nil {
			t.Skipf("NOT TESTED: counting system calls: %v", err)
		}
		defer s.close()
		cmd := exec.Command("/bin/sh", "-c", script)
		err = cmd.Start()
		release()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/"); err != nil { // one of this process, after the child's exec
			t.Fatal(err)
		}
		n, err := s.count()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const more = 1000
	short := counted("i=0; while [ $i -lt 1000 ]; do printf x; i=$((i+1)); done >/dev/null")
	long := counted("i=0; while [ $i -lt 2000 ]; do printf x; i=$((i+1)); done >/dev/null")
	if short < more || long-short != more {
		t.Errorf("1000 writes: %d, 2000 writes: %d", short, long)
	}
}
