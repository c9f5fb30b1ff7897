package kafka

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/gateway/handlertest"
	"feedgate/gateway/tlstest"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kafka"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// login is a Config with a name and a password.
func login(user, password string) sink.Config {
	flags := sink.Registry{kafka.Kind}.NewFlags()
	for _, group := range flags.Groups() {
		if own, ok := group.(*sink.ServerFlags); ok {
			own.User, own.PasswordFile = user, "file"
		}
	}
	return sink.Config{
		Flags:       flags,
		Credentials: sink.Credentials{User: user, Password: credential.NewSecret([]byte(password))},
	}
}

// wantDenied checks that the sink fails at the start, and why.
func wantDenied(t *testing.T, url string, cfg sink.Config, words ...string) {
	t.Helper()
	out := open(t, url, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := out.Start(ctx, 1)
	if err == nil {
		t.Fatalf("%s: no error; ready: %v", url, out.Ready())
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q", url, err, word)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is in %v", err)
	}
}

func TestMissingTopic(t *testing.T) {
	c := startCluster(t, 1, kfake.AllowAutoTopicCreation())
	wantDenied(t, "kafka://"+c.hosts()+"/nowhere", sink.Config{}, "topic nowhere does not exist")
	if c.TopicInfo("nowhere") != nil {
		t.Error("the topic was created")
	}
}

// TestLogin: each mechanism logs in; a wrong name, password or mechanism is found at the start.
func TestLogin(t *testing.T) {
	for mechanism, name := range map[string]string{"PLAIN": "plain", "SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512"} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "s3cret"))
			url := "kafka://" + c.hosts() + "/orders?sasl=" + name
			g := handlertest.Start(t, open(t, url, login("me", "s3cret")), 1, inFlight)
			g.Send(0, []byte("m"))
			g.Wait(1)
			g.Stop()
			if c.count("orders") != 1 {
				t.Errorf("%d stored", c.count("orders"))
			}
			c.refuseLogins(new(atomic.Bool))
			wantDenied(t, url, login("me", "wrong"), "SASL_AUTHENTICATION_FAILED", "--sink-user and --sink-password-file")
		})
	}
}

// TestMechanism: a broker without the mechanism is found at the start.
func TestMechanism(t *testing.T) {
	c := startCluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "s3cret"))
	c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return answer, nil, true
	})
	wantDenied(t, "kafka://"+c.hosts()+"/orders?sasl=scram-sha-256", login("me", "s3cret"), "UNSUPPORTED_SASL_MECHANISM", "see sasl=")
}

// refuseLogins makes the cluster answer logins as Kafka does if the password is wrong, until right is
// set. (kfake itself only closes the connection.)
func (c *cluster) refuseLogins(right *atomic.Bool) {
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		answer.ErrorMessage = kmsg.StringPtr("Authentication failed: Invalid username or password")
		return answer, nil, !right.Load()
	})
}

// TestNewPassword: a new password is used by the next connection; the sink waits for it.
func TestNewPassword(t *testing.T) {
	c := startCluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "s3cret"))
	cfg := login("me", "s3cret")
	out := open(t, "kafka://"+c.hosts()+"/orders?sasl=plain", cfg)
	g := handlertest.Start(t, out, 1, inFlight)
	g.Send(0, []byte("1"))
	g.Wait(1)
	cfg.Password.Set([]byte("wrong"))
	right := new(atomic.Bool)
	c.refuseLogins(right)
	c.open.reset()
	g.Send(0, []byte("2"))
	g.WaitFor("not ready", func() bool {
		return out.Ready() != nil && strings.Contains(out.Ready().Error(), "--sink-password-file")
	})
	if g.Resolved != 1 {
		t.Errorf("%d are resolved", g.Resolved)
	}
	cfg.Password.Set([]byte("s3cret"))
	right.Store(true)
	g.Wait(2)
	g.WaitFor("ready", func() bool { return out.Ready() == nil })
	if c.count("orders") != 2 || g.Refused != 0 {
		t.Errorf("%d stored, %d refused", c.count("orders"), g.Refused)
	}
}

// TestMayNotWrite: a user who may read the topic and not write it is found at the start.
func TestMayNotWrite(t *testing.T) {
	allow := func(operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "orders", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	c := startCluster(t, 1, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "s3cret"),
		kfake.User("PLAIN", "reader", "s3cret", allow(kmsg.ACLOperationRead), allow(kmsg.ACLOperationDescribe)),
		kfake.User("PLAIN", "nobody", "s3cret"),
		kfake.User("PLAIN", "writer", "s3cret", allow(kmsg.ACLOperationWrite), allow(kmsg.ACLOperationDescribe)))
	url := "kafka://" + c.hosts() + "/orders?sasl=plain"
	wantDenied(t, url, login("reader", "s3cret"), "topic orders may not be written")
	wantDenied(t, url, login("nobody", "s3cret"), "topic orders", "TOPIC_AUTHORIZATION_FAILED")
	g := handlertest.Start(t, open(t, url, login("writer", "s3cret")), 1, inFlight)
	g.Send(0, []byte("m"))
	g.Wait(1)
}

// TestTLS: with the right authority it works; another one is found at the start.
func TestTLS(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	secure, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"), kfake.TLS(ca.Server()))
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	host := secure.ListenAddrs()[0]
	trusting := func(a *tlstest.Authority) sink.Config {
		credentials, err := sink.ServerFlags{CA: a.File}.Load()
		if err != nil {
			t.Fatal(err)
		}
		return sink.Config{Credentials: credentials}
	}
	g := handlertest.Start(t, open(t, "kafka+tls://"+host+"/orders", trusting(ca)), 1, inFlight)
	g.Send(0, []byte("m"))
	g.Wait(1)
	g.Stop()
	wantDenied(t, "kafka+tls://"+host+"/orders", trusting(other), "unknown authority", "--sink-ca")
}

// TestAwayAtStart: a cluster that is away at the start is waited for.
func TestAwayAtStart(t *testing.T) {
	l := testkit.Listen(t)
	addr := l.Addr().String()
	l.Close()
	out := open(t, "kafka://"+addr+"/orders", sink.Config{})
	g := handlertest.Start(t, out, 1, inFlight)
	g.Send(0, []byte("m"))
	g.WaitFor("not ready", func() bool { return out.Ready() != nil && strings.Contains(out.Ready().Error(), "refused") })
	if g.Resolved != 0 {
		t.Error("a message is resolved")
	}
	g.Stop()
}

// probe does what check --connect does.
func probe(t *testing.T, url string, cfg sink.Config) (found string, err error) {
	t.Helper()
	cfg.ConnectTimeout = time.Second
	return sink.Registry{kafka.Kind}.Probe(t.Context(), url, *sinktest.Prepare(t, cfg))
}

// TestProbe: what check --connect prints.
func TestProbe(t *testing.T) {
	c := startCluster(t, 12, kfake.NumBrokers(3))
	found, err := probe(t, "kafka://"+c.hosts()+"/orders", sink.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"connected to 127.0.0.1:", "cluster kfake", "3 brokers", "topic orders has 12 partitions"} {
		if !strings.Contains(found, word) {
			t.Errorf("%q, want %q", found, word)
		}
	}
	if found, err := probe(t, "kafka://"+c.hosts()+"/x-{data}", sink.Config{}); err != nil || !strings.Contains(found, "were not looked up") {
		t.Errorf("%q, %v", found, err)
	}
	if _, err := probe(t, "kafka://"+c.hosts()+"/nowhere", sink.Config{}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	if c.count("orders") != 0 {
		t.Error("a message was written")
	}
}
