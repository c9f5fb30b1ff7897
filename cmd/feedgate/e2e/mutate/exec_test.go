package mutate

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// childVariable names a directory in which the children of exec: are counted. If it is set, the
// test binary is such a child.
const childVariable = "MUTATE_CHILD"

const seedVariable = "MUTATE_CHILD_SEED"

// runChild answers some messages correctly, and then misbehaves, depending on the seed and the
// child's number.
func runChild(dir string) {
	n := 0
	for ; ; n++ { // the first free number
		f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(n)), os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			break
		}
	}
	seed, _ := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	d := rand.New(rand.NewPCG(seed, uint64(n)))
	in := bufio.NewReader(os.Stdin)
	for left := 1 + d.IntN(8); ; left-- {
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		if left == 0 {
			misbehave(d)
			left = 1 + d.IntN(8) // in a full pipeline, surplus answers are not detected
		}
		if _, err := in.Discard(int(binary.BigEndian.Uint32(length[:]))); err != nil {
			return
		}
		code := []uint16{0, 0, 0, 1, 2, 1000, 8191}[d.IntN(7)]
		if _, err := os.Stdout.Write(binary.BigEndian.AppendUint16(nil, code)); err != nil {
			return
		}
	}
}

// misbehave writes something before an answer, or instead of it, and may end the child.
func misbehave(d *rand.Rand) {
	switch d.IntN(8) {
	case 0:
		os.Exit(d.IntN(4))
	case 1:
		os.Stdout.Write(noise(d, 1+d.IntN(16)))
	case 2:
		os.Stdout.Write([]byte{0})
		os.Exit(0)
	case 3:
		os.Stdout.Write(make([]byte, 2+2*d.IntN(8)))
	case 4:
		os.Stdout.Close()
	case 5:
		os.Stdin.Close()
		os.Exit(1)
	case 6:
		os.Stdout.WriteString("error: cannot process the message\n")
	case 7:
		os.Stdout.Write(noise(d, 256<<10))
	}
}

// TestExecAnswers: children give invalid answers, or end. Each message is acked once.
func TestExecAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(t, fg{}, 1, 0)
	server.messages = max(60, 6*count(files)) // about five per child
	server.start()
	p := testkit.Start(t, testkit.Launch{
		Admin: true,
		Args: []string{"fg://" + server.listeners[0].Addr().String(), "--sink=exec:exec " + self, "--workers=2", "--reconnect-min=1ms",
			"--reconnect-max=1ms", "--max-message=16KiB", "--memory=4MiB", "--drain-timeout=30s"},
		Env: []string{"GORACE=halt_on_error=1", childVariable + "=" + dir, seedVariable + "=" + fmt.Sprint(server.seed)},
	})
	p.Log.Forbid(marker, "panicked")
	over(t, p, "first", server.first)
	early := rest(t, p)
	begun := time.Now()
	over(t, p, "last", server.last)
	server.stop()
	// A child that is being restarted has pipes, and goroutines that read them.
	late := sampleWithin(t, p, early.fds+12, early.goroutines+12)
	log := p.Log.Bytes()
	children, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d children; %d bytes of log; %v, then %v", server.messages, len(children), log, early, late)
	p.Stop()
	if len(children) < server.messages/20 {
		t.Errorf("%d children are too few", len(children))
	}
	brief(t, log, 10*len(children), time.Since(begun))
	if lines := strings.Count(p.Log.Tail(), "\n"); lines == 0 {
		t.Error("nothing was logged")
	}
}
