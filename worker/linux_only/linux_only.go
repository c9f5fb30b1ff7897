//go:build linux

// Package linux_only is imported by packages that build on Linux only. Elsewhere, the go command
// then reports that linux_only has no files, rather than names that are undefined.
package linux_only
