package feedserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

func TestParseChaos(t *testing.T) {
	for spec, want := range map[string]Chaos{
		"":          {},
		"reset=0.5": {Reset: 0.5},
		"reset=0.01,split=1-7,stall=2s@0.001,half-open=0.001": {
			Reset: 0.01, SplitMin: 1, SplitMax: 7, Stall: 2 * time.Second, StallP: 0.001, HalfOpen: 0.001},
		"split=3-3,half-open=1": {SplitMin: 3, SplitMax: 3, HalfOpen: 1},
	} {
		if got, err := ParseChaos(spec); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", spec, got, err, want)
		}
	}
	for _, item := range []string{
		"reset", "reset=", "reset=2", "reset=-1", "reset=NaN", "split=0-1", "split=7-1", "split=5", "stall=2s",
		"stall=0s@1", "stall=x@1", "stall=1s@x", "half-open=yes", "panic=1", "=", "reset=1,reset=1",
	} {
		if _, err := ParseChaos("reset=0," + item); err == nil || !strings.HasPrefix(err.Error(), "--chaos: ") {
			t.Errorf("%q: %v", item, err)
		}
	}
	if _, err := ParseChaos("reset=x,split=y"); strings.Count(fmt.Sprint(err), "--chaos: ") != 2 {
		t.Errorf("two faults: %q", err)
	}
}

// TestChaosSeed: the same seed draws the same faults of one kind, whatever other kinds are set.
func TestChaosSeed(t *testing.T) {
	resetsOf := func(seed, ordinal uint64, c Chaos) (resets []bool) {
		s := newSession("", ordinal, 0, &Config{Seed: seed})
		for range 1000 {
			resets = append(resets, c.draw(s.batchRNG).reset)
			c.piece(100, s.splitRNG)
		}
		return resets
	}
	plain := resetsOf(1, 1, Chaos{Reset: 0.3})
	if !reflect.DeepEqual(plain, resetsOf(1, 1, Chaos{Reset: 0.3, HalfOpen: 0.5, Stall: 1, StallP: 0.5, SplitMin: 1, SplitMax: 9})) {
		t.Error("other faults change the resets")
	}
	if reflect.DeepEqual(plain, resetsOf(2, 1, Chaos{Reset: 0.3})) || reflect.DeepEqual(plain, resetsOf(1, 2, Chaos{Reset: 0.3})) {
		t.Error("another seed or session draws the same faults")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	seen := make(map[int]bool)
	for range 1000 {
		c := Chaos{SplitMin: 2, SplitMax: 4}
		seen[c.piece(100, rng)] = true
		if c.piece(1, rng) != 1 {
			t.Fatal("a piece is longer than the rest")
		}
	}
	if !reflect.DeepEqual(seen, map[int]bool{2: true, 3: true, 4: true}) {
		t.Errorf("pieces of 2 to 4 are %v", seen)
	}
}

// stubborn reconnects until it receives BYE, and acknowledges every message. It gives up a
// connection after silence of that length. It returns how its connections ended.
func stubborn(t *testing.T, s *Server, patienceWithSilence time.Duration) (resets, timeouts int) {
	t.Helper()
	var session string
	var done uint64 // last contiguous one that was acknowledged
	for begun := time.Now(); time.Since(begun) < patience; {
		c := newFGClient(t, s)
		_ = c.nc.SetDeadline(time.Now().Add(patienceWithSilence))
		err := c.login(session, done, "")
		var f frame
		for next := c.first; err == nil; next++ {
			session = c.session
			if f, err = c.read(); err != nil {
				break
			}
			if f.Op == fg1.Bye {
				c.cut()
				return resets, timeouts
			}
			if f.Seq != next {
				t.Fatalf("got message %d, want %d", f.Seq, next)
			}
			c.ack(f.Seq, f.Seq)
			done = f.Seq
		}
		c.cut()
		switch {
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			// Only one call returns a reset. If that was writing the ack, reading returns the end of
			// the stream.
			resets++
		case errors.Is(err, os.ErrDeadlineExceeded):
			timeouts++
		default:
			t.Fatalf("connection ended with %v", err)
		}
	}
	t.Fatal("the session did not end")
	return
}

func TestChaosReset(t *testing.T) {
	s := start(t, Config{Count: 3000, Chaos: Chaos{Reset: 0.2}, Seed: 7})
	resets, _ := stubborn(t, s, patience)
	r := wait(t, s)
	if resets == 0 || r.Total.Connections != resets+1 {
		t.Errorf("%d resets and %d connections", resets, r.Total.Connections)
	}
	if r.Total.Acknowledged != 3000 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}

func TestChaosHalfOpen(t *testing.T) {
	s := start(t, Config{Count: 1000, Chaos: Chaos{HalfOpen: 0.2}, Seed: 3})
	_, timeouts := stubborn(t, s, 200*time.Millisecond)
	r := wait(t, s)
	if timeouts == 0 || r.Total.Connections != timeouts+1 {
		t.Errorf("%d timeouts and %d connections", timeouts, r.Total.Connections)
	}
	if r.Total.Acknowledged != 1000 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}

// TestChaosAll: with all faults at once and short writes, every message is acknowledged.
func TestChaosAll(t *testing.T) {
	spec := "reset=0.05,split=1-7,stall=20ms@0.1,half-open=0.05"
	chaos, err := ParseChaos(spec)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Count: 1500, Size: 20, Chaos: chaos, Seed: 5})
	stubborn(t, s, 300*time.Millisecond)
	r := wait(t, s)
	if r.Total.Acknowledged != 1500 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}

// TestChaosLine: without a login, the next connection resumes at the first missing ack.
func TestChaosLine(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 1000, Size: 10, Chaos: Chaos{Reset: 0.2, SplitMin: 1, SplitMax: 50}, Seed: 9})
	for begun := time.Now(); ; {
		if time.Since(begun) > patience {
			t.Fatal("the session did not end")
		}
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			continue // reset during the handshake of TCP
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		r := bufio.NewReader(nc)
		for n := 1; err == nil; n++ {
			if _, err = r.ReadBytes('\n'); err == nil {
				_, err = fmt.Fprintf(nc, "A%d\n", n)
			}
		}
		_ = nc.(*net.TCPConn).CloseWrite()
		_ = nc.Close()
		if err == io.EOF {
			break
		}
	}
	r := wait(t, s)
	if r.Total.Acknowledged != 1000 || r.Total.Connections < 2 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}
