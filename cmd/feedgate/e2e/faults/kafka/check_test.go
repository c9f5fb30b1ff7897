package kafka

import (
	"crypto/tls"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/gateway/handlertest"
	"feedgate/gateway/tlstest"
	"feedgate/worker/sink"
)

// TestNoProducerID: a user who gets no producer ID is found at the start.
func TestNoProducerID(t *testing.T) {
	c := startCluster(t, 1)
	c.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		answer.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return answer, nil, true
	})
	wantDenied(t, "kafka://"+c.hosts()+"/orders", sink.Config{}, "asking for a producer ID: CLUSTER_AUTHORIZATION_FAILED")
}

// twoCertificates starts a cluster of two brokers with TLS. The second one leads the topic orders, and
// has a certificate of other while wrong is set.
func twoCertificates(t *testing.T, ca, other *tlstest.Authority, wrong *atomic.Bool) (first string, fake *kfake.Cluster) {
	t.Helper()
	var leader atomic.Pointer[string] // its address
	right, bad := ca.Server(), other.Server()
	cfg := ca.Server()
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if l := leader.Load(); wrong.Load() && l != nil && *l == hello.Conn.LocalAddr().String() {
			return bad, nil
		}
		return right, nil
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(1, "orders"), kfake.TLS(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	if err := fake.MoveTopicPartition("orders", 0, 1); err != nil {
		t.Fatal(err)
	}
	leader.Store(&fake.ListenAddrs()[1])
	return fake.ListenAddrs()[0], fake
}

// TestLeaderCertificate: a leader with a certificate that is not trusted is found at the start, also
// by a probe; one that has it later, with the first message.
func TestLeaderCertificate(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	credentials, err := sink.ServerFlags{CA: ca.File}.Load()
	if err != nil {
		t.Fatal(err)
	}
	wrong := new(atomic.Bool)
	host, fake := twoCertificates(t, ca, other, wrong)
	url, cfg := "kafka+tls://"+host+"/orders", sink.Config{Credentials: credentials}
	wrong.Store(true)
	wantDenied(t, url, cfg, "broker 1, a leader of topic orders", "unknown authority")
	if _, err := probe(t, url, cfg); err == nil || !strings.Contains(err.Error(), "broker 1, a leader") {
		t.Errorf("a probe: %v", err)
	}

	wrong.Store(false)
	out := open(t, url, cfg)
	g := handlertest.Start(t, out, 1, inFlight)
	g.WaitFor("ready", func() bool { return out.Ready() == nil })
	wrong.Store(true)
	g.Send(0, []byte("m"))
	<-out.Failed()
	if g.Resolved != 0 || !strings.Contains(out.Err().Error(), "unknown authority") {
		t.Errorf("%d are resolved; %v", g.Resolved, out.Err())
	}
	g.Stop()
	if n := fake.PartitionInfo("orders", 0).HighWatermark; n != 0 {
		t.Errorf("%d stored", n)
	}
}

// TestLongTimeout: a --connect-timeout beyond the limits of the client and of requests is no fault.
func TestLongTimeout(t *testing.T) {
	c := startCluster(t, 1)
	var limit atomic.Int32
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		limit.Store(r.(*kmsg.ProduceRequest).TimeoutMillis)
		return nil, nil, false
	})
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders", sink.Config{ConnectTimeout: 1000 * time.Hour}), 1, inFlight)
	g.Send(0, []byte("m"))
	g.Wait(1)
	if limit.Load() <= 0 {
		t.Errorf("a limit of %d ms", limit.Load())
	}
}
