package kafka

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// flagsWith returns flags with these values.
func flagsWith(f sink.ServerFlags) *flagset.Flags {
	flags := sink.Registry{Kind}.NewFlags()
	for _, group := range flags.Groups() {
		if own, ok := group.(*sink.ServerFlags); ok {
			*own = f
		}
	}
	return flags
}

func TestParse(t *testing.T) {
	login := sink.ServerFlags{User: "me", PasswordFile: "file"}
	for url, flags := range map[string]sink.ServerFlags{
		"kafka://a/orders":                                                       {},
		"kafka://a:1,b,[::1]:3/orders.of-today_1":                                {},
		"kafka+tls://a/orders?key=json:/a/b&compression=zstd&linger=5ms":         {},
		"kafka://a/orders?compression=none":                                      {},
		"kafka://a/orders-{json:/customer/country}":                              {},
		"kafka://a/{field:1:%3F}":                                                {},
		"kafka://a/orders?sasl=plain":                                            login,
		"kafka://a/orders?sasl=scram-sha-256":                                    login,
		"kafka+tls://a/orders?sasl=scram-sha-512&key=meta:topic&compression=lz4": login,
	} {
		target, err := sink.Registry{Kind}.Parse("--sink", url, flagsWith(flags))
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if !target.UsesMeta || target.Probe == nil || len(target.Hosts) == 0 {
			t.Errorf("%s: %+v", url, target)
		}
	}
	if target, _ := (sink.Registry{Kind}).Parse("--sink", "kafka://a,b:1/orders", nil); strings.Join(target.Hosts, " ") != "a:9092 b:1" {
		t.Errorf("hosts %q", target.Hosts)
	}
}

func TestParseFaults(t *testing.T) {
	login := sink.ServerFlags{User: "me", PasswordFile: "file"}
	for _, c := range []struct {
		url   string
		flags sink.ServerFlags
		want  []string
	}{
		{"kafka://a", sink.ServerFlags{}, []string{"want a topic"}},
		{"kafka://a/", sink.ServerFlags{}, []string{"want a topic"}},
		{"kafka://a/no space", sink.ServerFlags{}, []string{"want up to 249 letters"}},
		{"kafka://a/..", sink.ServerFlags{}, []string{"want up to 249 letters"}},
		{"kafka://a/" + strings.Repeat("x", 250), sink.ServerFlags{}, []string{"want up to 249 letters"}},
		{"kafka://a/{code}", sink.ServerFlags{}, []string{"only an ack has a code"}},
		{"kafka://a/x%zz", sink.ServerFlags{}, []string{"hexadecimal"}},
		{"kafka://a/x?user=me", sink.ServerFlags{}, []string{"unknown parameter"}},
		{"kafka://me:pw@a/x", sink.ServerFlags{}, []string{"must not contain a user"}},
		{"kafka://a/?key=x&compression=rar&linger=soon&sasl=magic", sink.ServerFlags{}, []string{
			"want a topic", "key: selector", "compression=rar: want none, lz4", "linger=soon", "sasl=magic: want plain",
		}},
		{"kafka://a,b:0/x?linger=-1s&foo=1", sink.ServerFlags{}, []string{`parameter "foo"`, "is not 1 to 65535", "linger=-1s"}},
		{"kafka://a/x?key=", sink.ServerFlags{}, []string{"key: selector"}},
		{"kafka://a/x?sasl=plain", sink.ServerFlags{}, []string{"it needs --sink-user and --sink-password-file"}},
		{"kafka://a/x?sasl=plain", sink.ServerFlags{User: "me"}, []string{"it needs --sink-user"}},
		{"kafka://a/x?sasl=", login, []string{"sasl=: want plain"}},
		{"kafka://a/x", login, []string{"--sink-user: kafka:// logs in with sasl="}},
		{"kafka://a/x", sink.ServerFlags{PasswordFile: "file"}, []string{"--sink-password-file: kafka:// logs in with sasl="}},
		{"kafka://a/x?sasl=plain", sink.ServerFlags{User: "a\x00b", PasswordFile: "file"}, []string{"--sink-user: a NUL"}},
	} {
		_, err := sink.Registry{Kind}.Parse("--sink", c.url, flagsWith(c.flags))
		if err == nil {
			t.Errorf("%s: no error", c.url)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(c.want) {
			t.Errorf("%s: %q", c.url, lines)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %q, want %q", c.url, lines[i], want)
			}
		}
	}
	for password, ok := range map[string]bool{"s3cret": true, "": false, "a\x00b": false} {
		if err := checkPassword([]byte(password)); (err == nil) != ok {
			t.Errorf("password %q: %v", password, err)
		}
	}
}

// TestTopic: a template makes a name of each message, and names that Kafka does not accept are found.
func TestTopic(t *testing.T) {
	name, err := parseTopic(`/orders-{json:/country}`)
	if err != nil || name.made == nil {
		t.Fatalf("%+v, %v", name, err)
	}
	for data, want := range map[string]string{
		`{"country":"de"}`:  "orders-de",
		`{"country":"d e"}`: "",
		`{"country":"../"}`: "",
		`{}`:                "orders-",
		`{"country":"` + strings.Repeat("x", 243) + `"}`: "",
	} {
		got := name.appendTo(nil, worker.Message{Data: []byte(data)})
		if legal := legalTopic(got); legal != (want != "") || legal && string(got) != want {
			t.Errorf("%s: topic %q, legal: %v", data, got, legal)
		}
	}
	if fixed, err := parseTopic("/a%2Eb"); err != nil || fixed.fixed != "a.b" || fixed.made != nil {
		t.Errorf("%+v, %v", fixed, err)
	}
}

// TestFate: what happens to messages follows from the metadata of their topic.
func TestFate(t *testing.T) {
	begin := time.Now()
	answer := func(code int16, leaders ...int32) *kmsg.MetadataResponseTopic {
		m := &kmsg.MetadataResponseTopic{ErrorCode: code}
		for i, leader := range leaders {
			m.Partitions = append(m.Partitions, kmsg.MetadataResponseTopicPartition{Partition: int32(i), Leader: leader})
		}
		return m
	}
	type step struct {
		after time.Duration
		m     *kmsg.MetadataResponseTopic
		want  fate
	}
	for name, c := range map[string]struct {
		made  bool
		steps []step
	}{
		"usable":                    {false, []step{{0, answer(0, 1, -1, 2), usable}}},
		"no partitions yet":         {false, []step{{0, answer(0), waits}, {time.Hour, answer(0), waits}}},
		"fixed and missing":         {false, []step{{0, answer(3), waits}, {time.Hour, answer(3), waits}, {time.Hour, answer(0, 1), usable}}},
		"made and missing":          {true, []step{{0, answer(3), waits}, {time.Second, answer(3), waits}, {2 * time.Second, answer(3), rejects}, {3 * time.Second, answer(0, 1), usable}}},
		"made and illegal":          {true, []step{{0, answer(17), waits}, {2 * time.Second, answer(17), rejects}}},
		"missing and away":          {true, []step{{0, answer(3), waits}, {time.Second, answer(5), waits}, {2 * time.Second, answer(3), waits}}},
		"made and forbidden":        {true, []step{{0, answer(29), rejects}}},
		"made, and forbidden later": {true, []step{{0, answer(0, 1), usable}, {time.Second, answer(29), forbids}, {time.Second, answer(0, 1), usable}}},
		"fixed and forbidden":       {false, []step{{0, answer(29), forbids}}},
		"an error nobody knows":     {true, []step{{0, answer(999), waits}}},
	} {
		tp := &topic{name: "x", made: c.made}
		if f, why := tp.fate(begin); f != waits || why == nil {
			t.Errorf("%s: at first %d, %v", name, f, why)
		}
		for i, s := range c.steps {
			tp.update(s.m, begin.Add(s.after))
			f, why := tp.fate(begin.Add(s.after))
			if f != s.want || (why == nil) != (f == usable) {
				t.Errorf("%s, step %d: %d, %v", name, i, f, why)
			}
		}
	}
}

// TestChoose: messages without a key go to one partition after the other, those without a leader
// excepted.
func TestChoose(t *testing.T) {
	tp := &topic{leaders: []int32{1, -1, 2}}
	for turn, want := range []int{0, 2, 2, 0, 2, 2} {
		if got := tp.choose(nil, turn); got != want {
			t.Errorf("turn %d: partition %d, want %d", turn, got, want)
		}
	}
	if got := (&topic{leaders: []int32{-1, -1}}).choose(nil, 3); got != 1 {
		t.Errorf("without leaders: partition %d", got)
	}
	if got := tp.choose([]byte("abc"), 0); got != 479470107%3 {
		t.Errorf("with a key: partition %d", got)
	}
}

// TestMayWrite: Write is missing only if the operations are known.
func TestMayWrite(t *testing.T) {
	for operations, want := range map[int32]bool{math.MinInt32: true, 1 << 4: true, 1 << 3: false, 0: true} {
		if mayWrite(operations) != want {
			t.Errorf("operations %b: %v", operations, !want)
		}
	}
}
