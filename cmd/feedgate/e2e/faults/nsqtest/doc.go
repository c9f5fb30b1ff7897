// Package nsqtest runs real nsqd and nsqlookupd processes for tests: with data that
// outlives them, ports that they keep, and an end at any moment.
//
//	d := nsqtest.StartNsqd(t, "--msg-timeout=1s")
//	d.CreateChannel("topic", "channel")
//	err := d.Publish("topic", bodies...)
//	d.Kill()
//	d.Start()
//	d.Await("all finished", "topic", "channel", func(c nsqtest.Channel) bool { ... })
//
// The executables are the tools of the module that the test belongs to, which go builds
// once and keeps in its cache. What belongs to a test ends with it, and every wait is
// bounded. Methods are for the test's own goroutine, but for those that return an error.
package nsqtest
