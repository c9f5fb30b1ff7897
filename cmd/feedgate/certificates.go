package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"feedgate/gateway"
)

// tlsFlags are the certificates of the schemes with TLS.
type tlsFlags struct {
	CA         string `name:"tls-ca" group:"tls" placeholder:"FILE" help:"PEM certificates to trust instead of the system's."`
	Cert       string `name:"tls-cert" group:"tls" placeholder:"FILE" help:"Client certificate, PEM."`
	Key        string `name:"tls-key" group:"tls" placeholder:"FILE" help:"Its key, PEM."`
	ServerName string `name:"tls-server-name" group:"tls" placeholder:"NAME" help:"In the server's certificate [the host]."`
}

// load reads the files. Its errors name the flags.
func (f *tlsFlags) load() (*gateway.TLS, error) {
	return gateway.LoadTLS(gateway.TLSConfig{CA: f.CA, Cert: f.Cert, Key: f.Key, ServerName: f.ServerName})
}

// reloadOnHangup reads the files again at each SIGHUP, until stop is called. A service
// that has no files is told so, rather than ended by whoever tells all to reload.
func (f *tlsFlags) reloadOnHangup(certificates *gateway.TLS, log *slog.Logger) (stop func()) {
	caught, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(caught, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for range caught {
			if f.CA == "" && f.Cert == "" {
				log.Info("SIGHUP: there are no TLS files to read again")
				continue
			}
			if err := certificates.Reload(); err != nil {
				log.Error("cannot use the TLS files; going on with what they held before", "error", err)
				continue
			}
			log.Info("TLS files were read again; new connections use them")
		}
	}()
	return func() {
		signal.Stop(caught)
		close(caught)
		<-ended
	}
}
