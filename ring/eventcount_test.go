package ring_test

import (
	"testing"

	"pgregory.net/rapid"

	"feedgate/ring"
)

// bellModel is an int and whether the consumer sleeps.
type bellModel struct {
	events ring.EventCount
	count  int
	asleep bool
}

func (m *bellModel) Ring(t *rapid.T) {
	n := rapid.IntRange(1, 1000).Draw(t, "n")
	want := m.asleep && m.count == 0
	if got := m.events.Add(n); got != want {
		t.Fatalf("Ring(%d) = %v at %d, asleep %v", n, got, m.count, m.asleep)
	}
	m.count += n
}

func (m *bellModel) Answer(t *rapid.T) {
	if m.asleep {
		return
	}
	// Up to 5 more than was rung: taken between a Publish and its Ring.
	n := rapid.IntRange(1, max(m.count, 0)+5).Draw(t, "n")
	m.events.Sub(n)
	m.count -= n
}

func (m *bellModel) Sleep(t *rapid.T) {
	if m.asleep {
		return
	}
	want := m.count == 0
	if got := m.events.Sleep(); got != want {
		t.Fatalf("Sleep() = %v at %d", got, m.count)
	}
	m.asleep = want
}

func (m *bellModel) Balance(*rapid.T) {
	switch {
	case m.asleep:
	case m.count > 0:
		m.events.Sub(m.count)
		m.count = 0
	case m.count < 0:
		m.events.Add(-m.count)
		m.count = 0
	}
}

func (m *bellModel) Wake(*rapid.T) {
	m.events.Wake()
	m.asleep = false
}

func (m *bellModel) check(t *rapid.T) {
	if got := m.events.Pending(); got != m.count {
		t.Fatalf("Pending() = %d, want %d", got, m.count)
	}
}

func TestEventCountModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &bellModel{}
		t.Repeat(map[string]func(*rapid.T){
			"ring": m.Ring, "answer": m.Answer, "balance": m.Balance,
			"sleep": m.Sleep, "wake": m.Wake,
			"": m.check,
		})
	})
}

func TestEventCountWakesOncePerSleep(t *testing.T) {
	var b ring.EventCount
	if b.Add(1) {
		t.Error("a ring wakes a consumer that is awake")
	}
	if b.Sleep() {
		t.Error("Sleep with one pending")
	}
	b.Sub(1)
	if !b.Sleep() {
		t.Fatal("no Sleep with nothing pending")
	}
	if !b.Add(3) || b.Add(2) {
		t.Error("not exactly the first of two rings wakes")
	}
	b.Wake()
	if b.Pending() != 5 {
		t.Errorf("Pending() = %d, want 5", b.Pending())
	}
}

func TestEventCountAllocs(t *testing.T) {
	var b ring.EventCount
	allocs := testing.AllocsPerRun(1000, func() {
		b.Add(1)
		b.Sub(1)
		if b.Sleep() {
			b.Add(2)
			b.Wake()
			b.Sub(2)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a run", allocs)
	}
}
