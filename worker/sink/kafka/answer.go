package kafka

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"feedgate/worker/credential"
)

// meaning is what an error code of a broker means for a record batch.
type meaning uint8

const (
	stored     meaning = iota // by all in-sync replicas
	uncertain                 // it may be stored: the same batch is sent again
	later                     // it is not stored now: sent again
	duplicate                 // the broker has stored the sequence number before
	resequence                // the broker does not know the batch's sequence number: sent again under a new epoch
	corrupt                   // damaged on the way, or refused by an old broker
	tooLarge                  // the batch, or the message if it is alone
	refused                   // because of a message
	badTime                   // because of the time in the batch
	denied                    // because of who sends it, or how
	noTopic                   // the topic does not exist
	badTopic                  // nobody may write the topic, or it cannot exist
	unwanted                  // a message named a topic that the sink may not write
)

// meanings are those of the codes that a produce request may be answered with
// (org.apache.kafka.common.protocol.Errors), as far as a broker decides before it appends. Any other
// code is uncertain: a broker that has appended, and loses leadership or its disk while it waits for
// the replicas, answers NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR or UNKNOWN_TOPIC_OR_PARTITION
// (kafka.cluster.Partition.checkEnoughReplicasReachOffset), and nothing is known of codes of the
// future.
var meanings = map[*kerr.Error]meaning{
	kerr.NotEnoughReplicas: later,

	kerr.DuplicateSequenceNumber: duplicate,

	kerr.OutOfOrderSequenceNumber: resequence,
	kerr.UnknownProducerID:        resequence,
	kerr.InvalidProducerEpoch:     resequence,
	kerr.InvalidProducerIDMapping: resequence,
	kerr.ProducerFenced:           resequence,

	kerr.CorruptMessage: corrupt,

	kerr.MessageTooLarge:    tooLarge,
	kerr.RecordListTooLarge: tooLarge,

	kerr.InvalidRecord:   refused,
	kerr.PolicyViolation: refused,

	kerr.InvalidTimestamp: badTime,

	kerr.TopicAuthorizationFailed:           denied,
	kerr.ClusterAuthorizationFailed:         denied,
	kerr.TransactionalIDAuthorizationFailed: denied,
	kerr.SaslAuthenticationFailed:           denied,
	kerr.UnsupportedSaslMechanism:           denied,
	kerr.IllegalSaslState:                   denied,
	kerr.SecurityDisabled:                   denied,
	kerr.UnsupportedVersion:                 denied,
	kerr.UnsupportedForMessageFormat:        denied,
	kerr.UnsupportedCompressionType:         denied,
	kerr.InvalidRequiredAcks:                denied,
	kerr.InvalidRequest:                     denied,

	kerr.UnknownTopicOrPartition: noTopic,
	kerr.InvalidTopicException:   badTopic, // also internal topics
}

// meaningOf returns the meaning of an error code of a broker, and the code as an error.
func meaningOf(code int16) (meaning, error) {
	if code == 0 {
		return stored, nil
	}
	err := kerr.ErrorForCode(code)
	var known *kerr.Error
	if errors.As(err, &known) {
		if m, ok := meanings[known]; ok {
			return m, err
		}
	}
	return uncertain, err
}

// meaningOfFailure returns the meaning of an error with which a request ended without an answer:
// denied if the settings are wrong, rather than that a broker is away. Even then, the request may have
// been processed: the connection may have failed after it.
func meaningOfFailure(err error) meaning {
	var known *kerr.Error
	switch {
	case errors.As(err, &known) && meanings[known] == denied:
		return denied
	case credential.Wrong(err):
		return denied
	case strings.Contains(err.Error(), "broker is too old"): // kgo does not export the error
		return denied
	}
	return uncertain
}
