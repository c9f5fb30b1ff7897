package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// reach is for [kit.Config].Connect: it checks that the cluster would take messages.
func (s *settings) reach(ctx context.Context, common *sink.Config) error {
	var noConn lastError
	k, err := s.connect(common, func(_ net.Conn, err error) { noConn.set(err) })
	if err != nil {
		return fmt.Errorf("%w: %w", kit.ErrDenied, err)
	}
	defer k.Close()
	_, err = s.check(ctx, k)
	return noConn.instead(err)
}

// lastError is why the latest connection could not be made; nil: it could. Several goroutines use it.
type lastError struct{ v atomic.Pointer[error] }

func (l *lastError) set(err error) {
	if err == nil {
		l.v.Store(nil)
		return
	}
	l.v.Store(&err)
}

// instead returns the error to report for err: a wait that has ended does not tell why.
func (l *lastError) instead(err error) error {
	if why := l.v.Load(); why != nil && errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, kit.ErrDenied) {
		return *why
	}
	return err
}

// check checks that the cluster accepts the login and gives a producer ID, that a fixed topic exists
// and may be written, and that the leaders of its partitions can be reached where the cluster says
// they are. It writes nothing. It returns the metadata of the cluster and of a fixed topic. The error
// wraps [kit.ErrDenied] if the settings are wrong.
func (s *settings) check(ctx context.Context, k *kgo.Client) (*kmsg.MetadataResponse, error) {
	answer, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := s.reachLeaders(ctx, k, answer); err != nil {
		return nil, err
	}
	if _, err := newProducer(ctx, k); err != nil {
		return nil, s.fault(err) // of any broker
	}
	return answer, nil
}

// fault explains an error. It wraps [kit.ErrDenied] if the settings are wrong, rather than that a
// broker is away.
func (s *settings) fault(err error) error {
	what := meaningOfFailure(err)
	if err = s.explain(err); what == denied {
		return fmt.Errorf("%w: %w", kit.ErrDenied, err)
	}
	return err
}

// find returns the metadata of the cluster and of a fixed topic.
func (s *settings) find(ctx context.Context, k *kgo.Client) (*kmsg.MetadataResponse, error) {
	var names []string
	if s.topicName.made == nil {
		names = []string{s.topicName.fixed}
	}
	answer, err := metadata(ctx, k, names, true)
	if err != nil {
		return nil, s.fault(err)
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

// mayWrite reports whether a set of operations includes Write; an unknown one does. So does 0: whoever
// is shown a topic has at least Describe, so a broker that answers 0 does not know.
func mayWrite(operations int32) bool {
	return operations == math.MinInt32 || operations == 0 || operations&(1<<kmsg.ACLOperationWrite) != 0
}

// newProducer asks for a producer ID.
func newProducer(ctx context.Context, k *kgo.Client) (*sequence, error) {
	answer, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, k)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for a producer ID: %w", err)
	}
	return &sequence{producer: answer.ProducerID, epoch: answer.ProducerEpoch}, nil
}

// reachLeaders connects to the leaders of partitions, at their advertised addresses, and logs in.
func (s *settings) reachLeaders(ctx context.Context, k *kgo.Client, answer *kmsg.MetadataResponse) error {
	var leaders []int32
	for i := range answer.Topics {
		for _, p := range answer.Topics[i].Partitions {
			if p.Leader >= 0 && !slices.Contains(leaders, p.Leader) {
				leaders = append(leaders, p.Leader)
			}
		}
	}
	errs := make(chan error, len(leaders))
	for _, leader := range leaders {
		go func() {
			_, err := k.Broker(int(leader)).Request(ctx, kmsg.NewPtrApiVersionsRequest())
			if err != nil {
				err = s.fault(fmt.Errorf("broker %d, a leader of topic %s: %w", leader, s.topicName.fixed, err))
			}
			errs <- err
		}()
	}
	var first error
	for range leaders {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
