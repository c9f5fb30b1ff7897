// Package interop tests the gateway with third-party servers. Its test requires Debian's
// python3-websockets; make interop runs it.
package interop
