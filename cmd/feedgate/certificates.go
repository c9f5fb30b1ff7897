package main

import (
	"feedgate/gateway"
	"feedgate/worker/credential"
)

// tlsFlags name the files of the schemes with TLS.
type tlsFlags struct {
	CA         string `name:"tls-ca" group:"tls" placeholder:"FILE" help:"CA certificates to trust, PEM [the system's]."`
	Cert       string `name:"tls-cert" group:"tls" placeholder:"FILE" help:"Client certificate, PEM."`
	Key        string `name:"tls-key" group:"tls" placeholder:"FILE" help:"Private key of --tls-cert, PEM."`
	ServerName string `name:"tls-server-name" group:"tls" placeholder:"NAME" help:"Name to expect in the certificate [the host]."`
}

// load reads the files. Its error names the flag at fault.
func (f *tlsFlags) load() (*credential.TLS, error) {
	return credential.LoadTLS(gateway.TLSFlags, credential.Files{CA: f.CA, Cert: f.Cert, Key: f.Key, ServerName: f.ServerName})
}

// files reports whether load reads any file.
func (f *tlsFlags) files() bool { return f.CA != "" || f.Cert != "" }
