package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"feedgate/worker/credential"
	"feedgate/worker/sink"
)

// probe is Probe of [sink.Target].
func (s *settings) probe(ctx context.Context, common *sink.Config) (found string, err error) {
	var first sync.Once
	var parts []string
	var noConn lastError
	k, err := s.connect(common, func(conn net.Conn, err error) {
		if noConn.set(err); err != nil {
			return
		}
		first.Do(func() {
			parts = append(parts, "connected to "+conn.RemoteAddr().String())
			if state := credential.StateOf(conn); state != nil {
				parts = append(parts, credential.Describe(state)...)
			}
		})
	})
	if err != nil {
		return "", err
	}
	defer k.Close()
	answer, err := s.check(ctx, k)
	if err != nil {
		if err = noConn.instead(err); errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer within --connect-timeout; see the hosts and ports in the URL")
		}
		return "", err
	}
	first.Do(func() {}) // parts is ours from now on
	if version := clusterVersion(ctx, k); version != "" {
		parts = append(parts, version)
	}
	if answer.ClusterID != nil {
		parts = append(parts, "cluster "+*answer.ClusterID)
	}
	parts = append(parts, number(len(answer.Brokers), "broker"))
	if s.mechanism != nil {
		parts = append(parts, "login accepted")
	}
	for i := range answer.Topics {
		parts = append(parts, "topic "+s.topicName.fixed+" has "+number(len(answer.Topics[i].Partitions), "partition"))
	}
	if s.topicName.made != nil {
		parts = append(parts, "topics depend on the messages and were not looked up")
	}
	return strings.Join(parts, ", "), nil
}

func number(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// clusterVersion returns which version of Kafka the requests of a broker suggest; empty: it is not
// clear.
func clusterVersion(ctx context.Context, k kmsg.Requestor) string {
	answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, k)
	if err != nil || answer.ErrorCode != 0 {
		return ""
	}
	guess := kversion.FromApiVersionsResponse(answer).VersionGuess()
	if version, found := strings.CutPrefix(guess, "at least v"); found {
		return "Kafka " + version + " or later"
	}
	if version, found := strings.CutPrefix(guess, "v"); found {
		return "Kafka " + version
	}
	return ""
}
