package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"feedgate/gateway/wire"
	"feedgate/worker/credential"
)

// TLSFlags are the names of the flags for Config.TLS, for errors.
var TLSFlags = credential.Flags{
	CA: "--tls-ca", Cert: "--tls-cert", Key: "--tls-key", ServerName: "--tls-server-name",
}

// tlsError is a fault of TLS itself, not of the connection below.
type tlsError struct{ error }

func (e tlsError) Unwrap() error { return e.error }

// asTLS makes err a tlsError, with a hint, unless it is an error of the connection. asked: the server
// requested a certificate and we had none.
func asTLS(err error, asked bool) error {
	var errno syscall.Errno
	if errors.As(err, &errno) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, net.ErrClosed) {
		return err
	}
	if hint := tlsHint(err, asked); hint != "" {
		err = fmt.Errorf("%w; %s", err, hint)
	}
	return tlsError{err}
}

// tlsHint returns a hint about err; "": none. In addition to [credential.Flags.Hint], it recognizes
// some protocols by their first bytes.
func tlsHint(err error, asked bool) string {
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		if looks := wire.DetectProtocol(plain.RecordHeader[:]); looks != "" {
			return "the server does not speak TLS, its answer looks like " + looks + "; see the URL's scheme"
		}
	}
	return TLSFlags.Hint(err, asked)
}
