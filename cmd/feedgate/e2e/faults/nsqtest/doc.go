// Package nsqtest runs real nsqd and nsqlookupd processes for tests. They can be killed at any
// moment, and restart with the same data and ports.
//
//	d := nsqtest.StartNsqd(t, "--msg-timeout=1s")
//	d.CreateChannel("topic", "channel")
//	err := d.Publish("topic", bodies...)
//	d.Kill()
//	d.Start()
//	d.Await("all finished", "topic", "channel", func(c nsqtest.Channel) bool { ... })
//
// The executables are tools of the test's module; the go command builds them once and caches them.
// Everything that a test starts ends with the test, and every wait is bounded. Methods that return
// an error may be called by any goroutine, the others by the test's goroutine only.
package nsqtest
