package main

import (
	"feedgate/gateway"
	"feedgate/worker/credential"
)

// tlsFlags are the certificates of the schemes with TLS.
type tlsFlags struct {
	CA         string `name:"tls-ca" group:"tls" placeholder:"FILE" help:"PEM certificates to trust instead of the system's."`
	Cert       string `name:"tls-cert" group:"tls" placeholder:"FILE" help:"Client certificate, PEM."`
	Key        string `name:"tls-key" group:"tls" placeholder:"FILE" help:"Its key, PEM."`
	ServerName string `name:"tls-server-name" group:"tls" placeholder:"NAME" help:"In the server's certificate [the host]."`
}

// load reads the files. Its errors name the flags.
func (f *tlsFlags) load() (*credential.TLS, error) {
	return credential.LoadTLS(gateway.TLSFlags, credential.Files{CA: f.CA, Cert: f.Cert, Key: f.Key, ServerName: f.ServerName})
}

// files reports whether there are files to read.
func (f *tlsFlags) files() bool { return f.CA != "" || f.Cert != "" }
