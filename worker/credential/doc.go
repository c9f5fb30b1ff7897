// Package credential holds what upstreams and sinks log in with: secrets and certificates from
// files, which can be read again while connections use them. It also masks secrets in logs.
package credential
