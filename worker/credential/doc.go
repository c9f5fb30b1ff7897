// Package credential is what upstreams and sinks log in with: secrets and certificates from
// files, which can be read again while connections use them.
package credential
