// Package kafka is the sink kafka:// and kafka+tls://: it writes messages to the topics of a Kafka
// cluster. A message is done when all in-sync replicas of its partition have it.
//
// The package uses franz-go for connections, logins, TLS, versions of requests and compression. It
// makes record batches and numbers them itself, rather than with the producer of kgo. The reasons
// are order and memory: that producer sends a record as soon as it is given one, so that a record
// can be stored behind a failed one that is sent again later; and it keeps several hundred bytes
// per record.
//
// # Order, losses and duplicates
//
// Each worker has a client of its own, with a producer ID, and sends one batch of the kit at a
// time. Within it, a partition's messages are one record batch, or several if they are large, and
// only the first of these is ever in progress. So:
//
//   - Nothing overtakes a failed record batch: the next one of its partition is not sent before the
//     broker has stored or refused all of it. A broker stores a record batch as a whole or not at
//     all.
//   - A record batch that may be stored, because its answer was lost or is inconclusive, is sent
//     again unchanged, with its sequence number, until the answer is clear. Brokers recognize it
//     (KIP-98), new leaders too, as they replicate the sequence numbers. So it is stored once.
//   - A request that was given up cannot be stored late, after later messages: its sequence number
//     or its epoch is over by then. With a new producer ID, which follows if the broker does not
//     accept a new epoch either, that is not so: the broker knows no order of producer IDs.
//   - If the broker has lost the sequence numbers (OUT_OF_ORDER_SEQUENCE_NUMBER,
//     UNKNOWN_PRODUCER_ID), the partition goes on with the same record batch in a new epoch
//     (KIP-360). Then a record batch can be stored twice, one per worker and partition, before any
//     later message.
//   - If a record batch that may be stored is refused at last, its sequence number must not be used
//     again: the broker would take the next record batch for it, and answer that it is stored. So
//     the partition begins a new epoch then, too. What is sent again of it, in other record batches,
//     can be stored twice. Brokers refuse before they look at the sequence number, and so refuse
//     each attempt, unless a setting of the topic has changed.
//
// A partition's messages are of several workers. Under --dispatch key, those of a key are of one
// worker, and so are in order. A crash of feedgate loses the numbers: messages that were stored and
// not acknowledged are stored again.
//
// # Waiting
//
// While a broker is away or answers "later", the client itself sends the record batch again, with
// the waits of --reconnect-min and --reconnect-max, and asks for the leader before each attempt. It
// reports that with [kit.Batch.Waits]. The kit sends messages again only if the broker has refused
// them together with others.
//
// # Memory
//
// Messages are copied once, into record batches. A worker has those of one batch of the kit.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/worker/flagset"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Kind is kafka://HOST:PORT[,HOST:PORT]/TOPIC?key=SELECTOR&compression=CODEC&linger=D&sasl=MECHANISM.
var Kind = sink.Kind{
	Schemes: []string{"kafka"},
	Secure:  []string{"kafka+tls"},
	Form:    "kafka://HOST[:PORT][,...]/TOPIC",
	Help: "writes to a topic of Kafka: ?key=SELECTOR is the record's key [--key], " +
		"compression=lz4, zstd, snappy or gzip, linger=D waits for fuller batches, " +
		"sasl=plain, scram-sha-256 or scram-sha-512 logs in",
	Remote: true,
	Flags:  []any{sink.ServerFlags{}},
	Parse:  parse,
}

// defaultPort is that of brokers.
const defaultPort = 9092

// parse parses the URL and reads the flags. It opens nothing.
func parse(u sink.URL, flags *flagset.Flags) (t sink.Target, err error) {
	server, err := u.Server(defaultPort, "key", "compression", "linger", "sasl")
	if len(server.Hosts) == 0 {
		return t, err
	}
	s := &settings{hosts: server.Hosts, secure: u.Secure}
	faults := [6]error{err}
	s.topicName, faults[1] = parseTopic(server.Path)
	s.key, faults[2] = parseKey(server.Query)
	s.compressor, faults[3] = parseCompression(server.Query)
	s.linger, faults[4] = parseLinger(server.Query)
	s.mechanism, faults[5] = parseLogin(server.Query, flagset.Of[sink.ServerFlags](flags))
	return sink.Target{
		Hosts:         server.Hosts,
		CheckPassword: checkPassword,
		UsesMeta:      true, // the IDs
		Meta:          s.metaNames(),
		Probe:         s.probe,
		Open:          s.open,
	}, errors.Join(faults[:]...)
}

// open opens the sink.
func (s *settings) open(common *sink.Config) (*sink.Sink, error) {
	return kit.Open(kit.Config{
		MaxMessages: maxMessages,
		MaxBytes:    int(max(min(maxBytes, common.Buffer/16), 1)), // a worker has one copy, and a request another
		Linger:      s.linger,
		Connect:     func(ctx context.Context) error { return s.reach(ctx, common) },
		Open: func(k *kit.Sink, worker int) (kit.Client, error) {
			return newClient(s, common, k, worker)
		},
		// Without keys, the kit sends one batch of a worker at a time.
	}, common), nil
}

// metaNames returns the names of metadata in the URL, each once.
func (s *settings) metaNames() (names []string) {
	if s.topicName.made != nil {
		names = s.topicName.made.MetaNames()
	}
	if s.key != nil && s.key.NeedsMeta() {
		names = append(names, s.key.MetaName())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// parseKey returns nil if there is no key.
func parseKey(q sink.Query) (*selector.Selector, error) {
	text, given := q["key"]
	if !given {
		return nil, nil
	}
	key, err := selector.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &key, nil
}

// codecs are the values of compression=.
var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// parseCompression returns nil for none.
func parseCompression(q sink.Query) (kgo.Compressor, error) {
	name, given := q["compression"]
	if !given {
		return nil, nil
	}
	codec, ok := codecs[name]
	if !ok {
		return nil, fmt.Errorf("compression=%s: want none, lz4, zstd, snappy or gzip", name)
	}
	return kgo.DefaultCompressor(codec)
}

func parseLinger(q sink.Query) (time.Duration, error) {
	text, given := q["linger"]
	if !given {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("linger=%s is not a duration such as 5ms", text)
	}
	return d, nil
}

// parseLogin returns nil if there is no login. A name without a mechanism is an error, because it
// would not be used, and so is the reverse.
func parseLogin(q sink.Query, flags sink.ServerFlags) (mechanism, error) {
	name, given := q["sasl"]
	m, ok := mechanisms[name]
	const want = "plain, scram-sha-256 or scram-sha-512"
	switch {
	case given && !ok:
		return nil, fmt.Errorf("sasl=%s: want %s", name, want)
	case given && (flags.User == "" || flags.PasswordFile == ""):
		return nil, fmt.Errorf("sasl=%s: it needs --sink-user and --sink-password-file", name)
	case given && hasNUL(flags.User):
		return nil, errors.New("--sink-user: a NUL byte has no place in it")
	case !given && flags.User != "":
		return nil, fmt.Errorf("--sink-user: kafka:// logs in with sasl= in its URL: %s", want)
	case !given && flags.PasswordFile != "":
		return nil, fmt.Errorf("--sink-password-file: kafka:// logs in with sasl= in its URL: %s", want)
	}
	return m, nil
}

// checkPassword must not quote the password.
func checkPassword(password []byte) error {
	switch {
	case len(password) == 0:
		return errors.New("the password is empty")
	case slices.Contains(password, 0):
		return errors.New("a NUL byte has no place in a password")
	}
	return nil
}

func hasNUL(s string) bool { return strings.Contains(s, "\x00") }
