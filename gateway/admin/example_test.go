package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus"

	"feedgate/gateway"
	"feedgate/gateway/admin"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// A program registers the metrics of its gateways with its own registry, and answers /ready on its
// own server.
func ExampleReport() {
	gw, err := gateway.New(gateway.Config{
		Protocol: fg1.Protocol{}, Hosts: []string{"feed.example:7000"}, Sink: worker.Each(nil),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := admin.Report{Upstreams: func() []admin.Upstream {
		return []admin.Upstream{{Label: gw.Label(), Stats: gw.Stats()}}
	}}

	registry := prometheus.NewRegistry()
	registry.MustRegister(report.Collector())
	mux := http.NewServeMux()
	mux.Handle("/feed/", http.StripPrefix("/feed", report.Handler(nil)))

	metrics, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(metrics) > 10, metrics[0].GetName())
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/feed/ready", nil))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output:
	// true feedgate_ack_latency_seconds
	// 503 upstream fg://feed.example:7000 is not connected
}
