// Package kafka is the fault suite of the sink kafka:// against the fake cluster of franz-go, kfake,
// over real sockets: the sink in this process, and the real binary between feedgate feed and the
// cluster, whose contents kcat reads. It contains only tests. No Apache Kafka broker takes part.
//
// Messages are "KEY-NUMBER" with a padding, so that what the cluster has stored shows losses,
// duplicates and the order of each key.
package kafka
