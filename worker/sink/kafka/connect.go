package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// connect makes a kgo.Client. dialed is called with each new connection; nil: nobody is interested.
func (s *settings) connect(common *sink.Config, dialed func(net.Conn), more ...kgo.Opt) (*kgo.Client, error) {
	// A host that does not answer leaves time for the others.
	limit := max(common.ConnectTimeout/time.Duration(len(s.hosts)), min(common.ConnectTimeout, time.Second))
	dial := new(net.Dialer).DialContext
	if s.secure {
		dial = common.TLS.Dial
	}
	options := append([]kgo.Opt{
		kgo.SeedBrokers(s.hosts...),
		kgo.ClientID("feedgate"),
		kgo.DisableClientMetrics(),
		kgo.MaxVersions(versions()),
		kgo.RequestRetries(max(2, len(s.hosts))), // one per host; failures beyond that are the caller's
		kgo.RetryBackoffFn(func(int) time.Duration { return common.ReconnectMin }),
		kgo.RequestTimeoutOverhead(max(common.ConnectTimeout, 100*time.Millisecond)),
		kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			conn, err := dial(ctx, network, addr)
			if err == nil && dialed != nil {
				dialed(conn)
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

// reach is for [kit.Config].Connect: it checks that the cluster can be reached and accepts the
// login, and that a fixed topic exists and may be written.
func (s *settings) reach(ctx context.Context, common *sink.Config) error {
	k, err := s.connect(common, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", kit.ErrDenied, err)
	}
	defer k.Close()
	_, err = s.find(ctx, k)
	return err
}

// find returns the metadata of the cluster and of a fixed topic. The error wraps [kit.ErrDenied] if
// the settings are wrong.
func (s *settings) find(ctx context.Context, k *kgo.Client) (*kmsg.MetadataResponse, error) {
	var names []string
	if s.topicName.made == nil {
		names = []string{s.topicName.fixed}
	}
	answer, err := metadata(ctx, k, names, true)
	if err != nil {
		if err = s.explain(err); wrong(err) {
			err = fmt.Errorf("%w: %w", kit.ErrDenied, err)
		}
		return nil, err
	}
	for i := range answer.Topics {
		t := &answer.Topics[i]
		what, err := meaningOf(t.ErrorCode)
		name := s.topicName.fixed
		switch {
		case what == noTopic:
			return nil, fmt.Errorf("%w: topic %s does not exist, and feedgate creates none", kit.ErrDenied, name)
		case t.IsInternal:
			return nil, fmt.Errorf("%w: topic %s is internal: only brokers write it", kit.ErrDenied, name)
		case what == denied || what == badTopic:
			return nil, fmt.Errorf("%w: topic %s: %w", kit.ErrDenied, name, err)
		case err != nil:
			return nil, fmt.Errorf("topic %s: %w", name, err)
		case !mayWrite(t.AuthorizedOperations):
			return nil, fmt.Errorf("%w: topic %s may not be written: the user lacks the operation Write", kit.ErrDenied, name)
		}
	}
	return answer, nil
}

// mayWrite reports whether a set of operations includes Write; an unknown one does.
func mayWrite(operations int32) bool {
	return operations == math.MinInt32 || operations&(1<<kmsg.ACLOperationWrite) != 0
}

// wrong reports whether an error shows that settings are wrong, rather than that a broker is away.
func wrong(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
		alert       tls.AlertError
		remote      *net.OpError
	)
	return meaningOfFailure(err) == denied || errors.As(err, &certificate) || errors.As(err, &plain) ||
		errors.As(err, &alert) || errors.As(err, &remote) && remote.Op == "remote error"
}

// maxText limits the text of an error, which may come from a broker, in bytes.
const maxText = 500

// explain adds which flags may help, and limits the text.
func (s *settings) explain(err error) error {
	text := err.Error()
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		text += "; see --sink-user and --sink-password-file"
	case errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		text += "; see sasl= in the URL"
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
