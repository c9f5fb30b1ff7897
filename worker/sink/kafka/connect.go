package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"feedgate/worker/sink"
)

// maxAnswer limits the answer of a broker, which is buffered whole, in bytes: the largest is the metadata of a topic,
// with some 50 bytes per partition.
const maxAnswer = 16 << 20

// connect makes a kgo.Client. dialed is called with each new connection, or why there is none; nil:
// nobody is interested.
func (s *settings) connect(common *sink.Config, dialed func(net.Conn, error), more ...kgo.Opt) (*kgo.Client, error) {
	// A host that does not answer leaves time for the others, and for its error to be seen.
	all := common.ConnectTimeout * 9 / 10
	limit := max(all/time.Duration(len(s.hosts)), min(all, time.Second))
	dial := new(net.Dialer).DialContext
	if s.secure {
		dial = common.TLS.Dial
	}
	options := append([]kgo.Opt{
		kgo.SeedBrokers(s.hosts...),
		kgo.ClientID("feedgate"),
		kgo.BrokerMaxReadBytes(maxAnswer), kgo.FetchMaxBytes(1 << 20), // nothing is fetched
		kgo.DisableClientMetrics(),
		kgo.MaxVersions(versions()),
		kgo.RequiredAcks(kgo.AllISRAcks()),       // kgo replaces that of a produce request by its own
		kgo.RequestRetries(max(2, len(s.hosts))), // one per host; failures beyond that are the caller's
		kgo.RetryBackoffFn(func(int) time.Duration { return common.ReconnectMin }),
		kgo.RequestTimeoutOverhead(min(max(common.ConnectTimeout, 100*time.Millisecond), 15*time.Minute)), // the limits of kgo
		kgo.Dialer(func(caller context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(caller, limit)
			defer cancel()
			conn, err := dial(ctx, network, addr)
			if caller.Err() != nil && err != nil {
				return nil, err // the request has ended; that shows nothing about the address
			}
			if err != nil {
				err = s.dialFault(addr, err)
			}
			if dialed != nil {
				dialed(conn, err)
			}
			return conn, err
		}),
	}, more...)
	if s.mechanism != nil {
		options = append(options, kgo.SASL(s.mechanism(common)))
	}
	return kgo.NewClient(options...)
}

// versions are those of requests: produce requests that name topics rather than their IDs.
func versions() *kversion.Versions {
	v := kversion.Tip()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 12)
	return v
}

// mechanism returns a mechanism of SASL that reads the credentials at each connection.
type mechanism func(common *sink.Config) sasl.Mechanism

// mechanisms are the values of sasl=.
var mechanisms = map[string]mechanism{
	"plain": func(common *sink.Config) sasl.Mechanism {
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: common.User, Pass: string(common.Password.Bytes())}, nil
		})
	},
	"scram-sha-256": func(common *sink.Config) sasl.Mechanism {
		return scram.Sha256(func(context.Context) (scram.Auth, error) { return scramAuth(common), nil })
	},
	"scram-sha-512": func(common *sink.Config) sasl.Mechanism {
		return scram.Sha512(func(context.Context) (scram.Auth, error) { return scramAuth(common), nil })
	},
}

func scramAuth(common *sink.Config) scram.Auth {
	return scram.Auth{User: common.User, Pass: string(common.Password.Bytes())}
}

// metadata asks any broker about topics, and what the user may do with them if rights, without
// creating any.
func metadata(ctx context.Context, k *kgo.Client, names []string, rights bool) (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{} // nil would be all topics
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, t)
	}
	request.IncludeTopicAuthorizedOperations = rights
	answer, err := request.RequestWith(ctx, k)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	return answer, err
}

// dialFault explains why there is no connection to an address.
func (s *settings) dialFault(addr string, err error) error {
	switch timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded); {
	case timedOut && s.secure:
		return fmt.Errorf("%s: no TLS within --connect-timeout; a port without TLS does not answer, see the URL's scheme", addr)
	case timedOut:
		return fmt.Errorf("%s: no connection within --connect-timeout", addr)
	}
	return err
}

// maxText limits the text of an error, which may come from a broker, in bytes.
const maxText = 500

// explain adds which flags may help, and limits the text.
func (s *settings) explain(err error) error {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	var atOnce *kgo.ErrFirstReadEOF
	var dns *net.DNSError
	switch {
	case errors.As(err, &atOnce) && s.secure:
		text = "the broker closed the connection at once; see the URL's scheme, and whether the broker wants a login (sasl=) or a certificate (--sink-cert)"
	case errors.As(err, &atOnce):
		text = "the broker closed the connection at once; see whether it wants TLS (kafka+tls://) or a login (sasl= in the URL)"
	case errors.Is(err, io.EOF) && s.mechanism != nil:
		text = "the broker closed the connection, perhaps because of the login; see sasl= in the URL, --sink-user and --sink-password-file"
	case errors.Is(err, io.EOF):
		text = "the broker closed the connection"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		text += "; see --sink-user and --sink-password-file"
	case errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		text += "; see sasl= in the URL"
	case errors.As(err, &dns) || errors.Is(err, syscall.ECONNREFUSED):
		text += "; see the hosts and ports in the URL, and those that the brokers advertise"
	}
	return &explained{text, err}
}

// explained is an error with another text.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }
