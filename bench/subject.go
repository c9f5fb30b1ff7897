package bench

import (
	"feedgate/bench/baselines"
	"feedgate/bench/baselines/nsq"
	"feedgate/bench/baselines/ws"
	"feedgate/gateway/wire/fg1"
)

// Subject is a client to be measured. Exactly one of Run, made and Program is set.
type Subject struct {
	Name     string
	Doc      string // what it is, without a period
	Question string // what one learns from it; "" for controls
	Protocol string // of the feed
	Default  bool   // measured if the user names no subjects
	// Control marks a client with a deliberate fault, for tests of the harness.
	Control bool

	// Keyed: it distributes messages by key.
	Keyed bool
	// Destination is where it passes messages on to, instead of working on them: kafka or http, see
	// package destination, file, or discard, which is nowhere. Empty: it works on them.
	Destination string

	// Run is the client, run in a process of its own.
	Run baselines.Func
	// made returns the client for a setup.
	made func(setup) baselines.Func
	// Program is the name of an executable in the harness's directory that calls [client.Main], or
	// does the same.
	Program string
}

// Subjects are all subjects, in the order of a table.
var Subjects = []Subject{
	{Name: "limit", Protocol: "fg", Default: true, Run: baselines.Limit,
		Doc:      "bulk receive into one buffer, no parsing, all acks in bulk",
		Question: "how fast can kernel and feed be?"},
	{Name: "inline", Protocol: "fg", Default: true, Run: baselines.Inline,
		Doc:      "one goroutine parses, works and acks in place, one send per read",
		Question: "what do workers cost if they gain nothing?"},
	{Name: "naive", Protocol: "fg", Default: true, Run: baselines.Naive,
		Doc:      "one goroutine per worker on one channel, one write per ack",
		Question: "what does one write first?"},
	{Name: "channels", Protocol: "fg", Default: true, Run: baselines.Channels,
		Doc:      "bufio, one channel per worker, recycled copies, a writer that combines acks",
		Question: "what does an experienced Go programmer write?"},
	{Name: "batches", Protocol: "fg", Default: true, Run: baselines.Batches,
		Doc:      "one channel send per read, acks written over the messages, writev; it keeps no order",
		Question: "what does one write after profiling channels?"},
	{Name: "gnet-async", Protocol: "fg", Run: baselines.GnetAsync,
		Doc:      "a gnet client, one channel per worker, one AsyncWrite per ack",
		Question: "is an event loop library enough?"},
	{Name: "gnet-loop", Protocol: "fg", Default: true, Run: baselines.GnetLoop,
		Doc:      "a gnet client that works on its loop",
		Question: "what can an event loop do without workers?"},
	{Name: "seed-32", Protocol: "fg", Default: true, Run: gateway32,
		Doc:      "feedgate with one ack in each of the 32 messages of a sendmmsg",
		Question: "what is packing acks worth?"},
	{Name: "asio", Protocol: "fg", Program: "feedgate-asio",
		Doc:      "C++17, Boost.Asio, boost::lockfree::spsc_queue, one post per ack, 32 single acks per sendmmsg (make baselines)",
		Question: "is it the language?"},
	{Name: productName, Protocol: "fg", Default: true, Run: product,
		Doc:      "the product, with the defaults of feedgate run",
		Question: "what is the product worth beside the others?"},

	{Name: "channels-key", Protocol: "fg", Keyed: true,
		made:     func(with setup) baselines.Func { return baselines.ChannelsByKey(with.key.find) },
		Doc:      "channels, where a hash of the key picks the channel (--keys)",
		Question: "what does order by key cost a Go programmer?"},
	{Name: "feedgate-key", Protocol: "fg", Keyed: true, made: productByKey,
		Doc:      "the product with --dispatch key (--keys)",
		Question: "what does order by key cost the product?"},

	{Name: "ws-gws", Protocol: "ws", Run: ws.GWS,
		Doc:      "a WebSocket client of lxzan/gws, one channel per worker, combined acks",
		Question: "what do users of that library get?"},
	{Name: "ws-coder", Protocol: "ws", Run: ws.Coder,
		Doc:      "a WebSocket client of coder/websocket, one channel per worker, combined acks",
		Question: "what do users of that library get?"},
	{Name: "ws-feedgate", Protocol: "ws", Run: productWS,
		Doc:      "the product over WebSocket, acks A{n}",
		Question: "what does WebSocket cost compared with FG/1?"},
	{Name: "tls-limit", Protocol: "fg+tls", Run: limitTLS,
		Doc:      "limit over a tls.Conn, a bare loop of reads",
		Question: "how fast can crypto/tls be?"},
	{Name: "tls-feedgate", Protocol: "fg+tls", Run: productTLS,
		Doc:      "the product over TLS",
		Question: "what does TLS cost?"},

	{Name: "nsq-go-nsq", Protocol: queued, Run: nsq.GoNSQ,
		Doc:      "a go-nsq consumer as documented, a handler per worker, 2500 in flight",
		Question: "what do users of NSQ get?"},
	{Name: "nsq-go-nsq-tuned", Protocol: queued, Run: nsq.GoNSQTuned,
		Doc:      "nsq-go-nsq with nsqd's largest output buffer and GOGC=800",
		Question: "what can the settings of go-nsq do?"},
	{Name: "nsq-inline", Protocol: queued, Run: nsq.Inline,
		Doc:      "one goroutine parses and finishes in place, one send for the FINs of a read",
		Question: "how fast can nsqd be?"},
	{Name: "nsq-feedgate", Protocol: queued, Run: productNSQ,
		Doc:      "the product over NSQ",
		Question: "what does the product get from NSQ?"},

	{Name: "kafka-bare", Protocol: "fg", Destination: "kafka",
		made:     func(with setup) baselines.Func { return baselines.KafkaBare(with.to) },
		Doc:      "one goroutine produces with one franz-go client; its promises ack",
		Question: "how fast can Kafka's client be?"},
	{Name: "kafka-channels", Protocol: "fg", Destination: "kafka",
		made:     func(with setup) baselines.Func { return baselines.KafkaChannels(with.to) },
		Doc:      "channels, where each worker has a franz-go client and calls ProduceSync with what is there",
		Question: "what does a Go programmer write for Kafka?"},
	{Name: "kafka-feedgate", Protocol: "fg", Destination: "kafka", made: passOn(fg1.Protocol{}),
		Doc:      "the product with --sink kafka://",
		Question: "what does the product cost beside Kafka's client?"},
	{Name: "kafka-feedgate-key", Protocol: "fg", Destination: "kafka", Keyed: true, made: passOn(fg1.Protocol{}),
		Doc:      "kafka-feedgate with --dispatch key, whose key is the record's key (--keys)",
		Question: "what does order by key cost with Kafka?"},
	{Name: "http-single", Protocol: "fg", Destination: "http",
		made:     func(with setup) baselines.Func { return baselines.PostEach(with.to) },
		Doc:      "channels, where each worker posts each message with net/http, over connections kept alive",
		Question: "what does one write first for a web server?"},
	{Name: "http-feedgate", Protocol: "fg", Destination: "http", made: passOn(fg1.Protocol{}),
		Doc:      "the product with --sink http://, batches of lines",
		Question: "what are batches worth?"},
	{Name: "http-feedgate-key", Protocol: "fg", Destination: "http", Keyed: true, made: passOn(fg1.Protocol{}),
		Doc:      "http-feedgate with --dispatch key (--keys)",
		Question: "what does order by key cost with a web server?"},

	{Name: "benthos-drop", Protocol: unacked, Destination: "discard", Program: "feedgate-benthos",
		Doc:      "Benthos 4.60, its input socket with lines and output drop; lines have no acks (make baselines)",
		Question: "what does a stream processor cost that does nothing?"},
	{Name: "benthos-file", Protocol: unacked, Destination: "file", Program: "feedgate-benthos",
		Doc:      "Benthos 4.60, its input socket with lines and output file, which never syncs (make baselines)",
		Question: "how fast does a stream processor fill a file?"},
	{Name: "line-discard", Protocol: unacked, Destination: "discard", made: passOn(lines),
		Doc:      "the product with --frame line and --sink discard:, without acks",
		Question: "what does the product cost in place of Benthos?"},
	{Name: "line-file", Protocol: unacked, Destination: "file", made: passOn(lines),
		Doc:      "the product with --frame line and --sink file:, which syncs, without acks",
		Question: "how fast does the product fill a file?"},

	{Name: "inline-slow", Protocol: "fg", Control: true, Run: baselines.InlineSlow,
		Doc: "inline that takes a quarter longer, so its rate is a fifth lower where it is the bottleneck"},
	{Name: "inline-loses", Protocol: "fg", Control: true, Run: baselines.InlineLoses,
		Doc: "inline without the ack of message 1000"},
	{Name: "inline-doubles", Protocol: "fg", Control: true, Run: baselines.InlineDoubles,
		Doc: "inline that acks message 1000 twice"},
}

// productName is the subject with which the others are compared.
const productName = "feedgate"

// Find returns the subject with that name, or nil.
func Find(name string) *Subject {
	for i := range Subjects {
		if Subjects[i].Name == name {
			return &Subjects[i]
		}
	}
	return nil
}
