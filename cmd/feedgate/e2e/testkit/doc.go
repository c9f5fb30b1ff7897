// Package testkit has what test suites of the binary share: the binary as a process, a relay
// that breaks its connections, and a ledger of the messages that are on disk. It is independent
// of protocols: each suite has its own message source and decodes the relayed bytes itself.
//
//	func TestMain(m *testing.M) { os.Exit(testkit.Run(m, "../../../..")) }
//
//	r := testkit.StartRelay(t, source, testkit.RelayOptions{Cuts: cuts, Observe: tap.observe})
//	l := testkit.NewLedger(t, filepath.Join(t.TempDir(), "out"), digits)
//	g := testkit.Start(t, testkit.Launch{Args: []string{"fg://" + r.Addr(), l.Flag()}})
//	g.Kill()
//	r.WaitClosed()
//	l.CheckComplete(last)
//
// Everything that a test starts ends with the test, and every wait is bounded. Methods are for
// the test's goroutine, unless documented otherwise.
package testkit
