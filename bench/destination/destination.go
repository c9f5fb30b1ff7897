package destination

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Server counts the messages that it gets.
type Server struct {
	URL      string // of the flag --sink
	Messages func() uint64
	Close    func()
}

// Start starts a server of a kind, kafka or http, on the loopback interface.
func Start(kind string) (*Server, error) {
	switch kind {
	case "kafka":
		return startKafka()
	case "http":
		return startHTTP()
	}
	return nil, fmt.Errorf("%q is not a destination", kind)
}

const (
	brokers    = 3
	partitions = 6
	topic      = "bench"
)

func startKafka() (*Server, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.SeedTopics(partitions, topic), kfake.BlackholeProduce())
	if err != nil {
		return nil, err
	}
	return &Server{
		URL: "kafka://" + strings.Join(cluster.ListenAddrs(), ",") + "/" + topic,
		Messages: func() (n uint64) {
			for _, p := range cluster.PartitionInfos(topic) {
				n += uint64(p.HighWatermark)
			}
			return n
		},
		Close: cluster.Close,
	}, nil
}

func startHTTP() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var messages atomic.Uint64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := Lines(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest) // the client does not get it: its connection has ended
			return
		}
		messages.Add(n)
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = server.Serve(listener) }() // until Close
	return &Server{
		URL:      "http://" + listener.Addr().String() + "/bench",
		Messages: messages.Load,
		Close:    func() { _ = server.Close() },
	}, nil
}
