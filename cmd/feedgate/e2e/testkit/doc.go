// Package testkit is what the fault suites share: the real binary as a process, a relay that
// breaks its connections, and a ledger of what it has made durable. It knows no protocol:
// a suite has its own source of messages and its own look at what passes a relay.
//
//	func TestMain(m *testing.M) { os.Exit(testkit.Run(m, "../../../..")) }
//
//	r := testkit.StartRelay(t, source, testkit.Wiring{Cuts: cuts, Look: tap.look})
//	l := testkit.NewLedger(t, filepath.Join(t.TempDir(), "out"), digits)
//	g := testkit.Start(t, testkit.Launch{Args: []string{"fg://" + r.Addr(), l.Flag()}})
//	g.Kill()
//	r.Drained()
//	l.Whole(last)
//
// What belongs to a test ends with it, and every wait is bounded. Methods are for the
// test's own goroutine, unless they say otherwise.
package testkit
