// Package interop tries the gateway against servers that others wrote. Its test needs
// Debian's python3-websockets; make interop runs it.
package interop
