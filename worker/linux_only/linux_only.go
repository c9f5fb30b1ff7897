//go:build linux

// Package linux_only is imported by what builds on Linux only, so that elsewhere the go
// command says that there are no files for linux_only, rather than which names are undefined.
package linux_only
