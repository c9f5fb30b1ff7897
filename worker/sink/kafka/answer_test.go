package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestMeanings: every error code of Kafka has the meaning it should have. Codes that a produce
// request is not answered with, and those of the future, must not refuse a message, nor mean that
// it is not stored.
func TestMeanings(t *testing.T) {
	want := map[meaning][]int16{
		stored:     {0},
		later:      {19},
		duplicate:  {46},
		resequence: {45, 47, 49, 59, 90},
		corrupt:    {2},
		tooLarge:   {10, 18},
		refused:    {44, 87},
		denied:     {21, 29, 31, 33, 34, 35, 42, 43, 53, 54, 58, 76},
		noTopic:    {3},
		badTopic:   {17},
		badTime:    {32},
	}
	byCode := make(map[int16]meaning)
	for m, codes := range want {
		for _, code := range codes {
			byCode[code] = m
		}
	}
	for code := int16(-100); code < 1000; code++ {
		m, listed := byCode[code]
		if !listed {
			m = uncertain
		}
		got, err := meaningOf(code)
		if got != m || (err == nil) != (code == 0) {
			t.Errorf("code %d, %v, has the meaning %d, want %d", code, err, got, m)
		}
	}
}

// TestFailures: an error without an answer may pass, unless the login or the settings of TLS are
// refused.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want meaning
	}{
		{io.EOF, uncertain},
		{fmt.Errorf("dial: %w", kerr.SaslAuthenticationFailed), denied},
		{fmt.Errorf("asking: %w", kerr.ClusterAuthorizationFailed), denied},
		{fmt.Errorf("asking: %w", kerr.MessageTooLarge), uncertain},
		{errors.New("broker is too old; it cannot"), denied},
		{fmt.Errorf("dial: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), denied},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, denied},    // bad_certificate
		{&net.OpError{Op: "remote error", Err: tls.AlertError(116)}, denied},   // certificate_required
		{&net.OpError{Op: "remote error", Err: tls.AlertError(70)}, denied},    // protocol_version
		{&net.OpError{Op: "remote error", Err: tls.AlertError(80)}, uncertain}, // internal_error
		{&net.OpError{Op: "remote error", Err: tls.AlertError(90)}, uncertain}, // user_canceled
		{&net.OpError{Op: "dial", Err: io.EOF}, uncertain},
	} {
		if got := meaningOfFailure(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
