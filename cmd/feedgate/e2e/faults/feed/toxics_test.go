package feed

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// toxics is the test's own toxiproxy to one address. One goroutine calls its methods.
type toxics struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
	api   *toxiproxy.ApiServer
}

func startToxics(t *testing.T, target string) *toxics {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	x := &toxics{t: t, api: api, proxy: toxiproxy.NewProxy(api, t.Name(), "127.0.0.1:0", target)}
	if err := x.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.proxy.Stop)
	return x
}

func (x *toxics) addr() string { return x.proxy.Listen }

// add adds a toxic under a name. stream is "downstream", towards the gateway, or "upstream".
func (x *toxics) add(name, kind, stream string, attributes map[string]int) {
	x.t.Helper()
	b, err := json.Marshal(map[string]any{
		"name": name, "type": kind, "stream": stream, "toxicity": 1, "attributes": attributes,
	})
	if err == nil {
		_, err = x.proxy.Toxics.AddToxicJson(strings.NewReader(string(b)))
	}
	if err != nil {
		x.t.Fatalf("add the toxic %s: %v", b, err)
	}
}

// remove removes a toxic. Connections that it has withheld bytes from are closed.
func (x *toxics) remove(name string) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := x.proxy.Toxics.RemoveToxic(ctx, name); err != nil {
		x.t.Fatalf("remove the toxic %s: %v", name, err)
	}
}
