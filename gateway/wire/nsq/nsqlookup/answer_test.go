package nsqlookup

import (
	"net"
	"strings"
	"testing"
)

// answers are answers that nsqlookupds have given, or might give.
var answers = []struct {
	name   string
	status int
	body   string
	nsqds  string
	bad    int
	fault  string
}{
	{"bare", 200, `{"channels":["c"],"producers":[{"remote_address":"10.0.0.1:5","hostname":"h","broadcast_address":"a","tcp_port":4150,"http_port":4151,"version":"1.3.0"}]}`, "a:4150", 0, ""},
	{"envelope", 200, `{"status_code":200,"status_txt":"OK","data":{"channels":[],"producers":[{"broadcast_address":"a","tcp_port":1},{"broadcast_address":"b.example","tcp_port":2}]}}`, "a:1 b.example:2", 0, ""},
	{"none", 200, `{"channels":[],"producers":[]}`, "", 0, ""},
	{"null", 200, `{"channels":null,"producers":null}`, "", 0, ""},
	{"no topic", 404, `{"message":"TOPIC_NOT_FOUND"}`, "", 0, ""},
	{"no topic, envelope", 404, `{"status_code":404,"status_txt":"TOPIC_NOT_FOUND","data":null}`, "", 0, ""},
	{"no topic, status 200", 200, `{"status_code":404,"status_txt":"TOPIC_NOT_FOUND","data":null}`, "", 0, ""},
	{"IPv6", 200, `{"producers":[{"broadcast_address":"::1","tcp_port":1}]}`, "[::1]:1", 0, ""},
	{"no addresses", 200, `{"producers":[{"broadcast_address":"","tcp_port":1},{"broadcast_address":"a/b","tcp_port":1},{"broadcast_address":"u@a","tcp_port":1},{"broadcast_address":"a,b","tcp_port":1},{"broadcast_address":"fe80::1%eth0","tcp_port":1},{"broadcast_address":"a b","tcp_port":1},{"broadcast_address":"a","tcp_port":0},{"broadcast_address":"a","tcp_port":65536},{"broadcast_address":"a","tcp_port":-1},{},{"broadcast_address":"b","tcp_port":65535}]}`, "b:65535", 10, ""},

	{"no nsqlookupd", 404, `{"message":"NOT_FOUND"}`, "", 0, "the answer has status 404"},
	{"fails", 500, `{"message":"INTERNAL_ERROR"}`, "", 0, "the answer has status 500"},
	{"fails, status 200", 200, `{"status_code":500,"status_txt":"INTERNAL_ERROR","data":null}`, "", 0, "the answer has status 500"},
	{"redirect", 302, ``, "", 0, "the answer has status 302"},
	{"HTML", 200, `<html>`, "", 0, "the answer is not the JSON of an nsqlookupd"},
	{"cut off", 200, `{"producers":[`, "", 0, "the answer is not the JSON of an nsqlookupd"},
	{"nothing", 200, ``, "", 0, "the answer is not the JSON of an nsqlookupd"},
	{"other JSON", 200, `{}`, "", 0, "the answer has no list of producers"},
	{"other data", 200, `{"data":{}}`, "", 0, "the answer has no list of producers"},
	{"other kind", 200, `{"producers":[{"tcp_port":"1"}]}`, "", 0, "the answer has no list of producers"},
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		nsqds, bad, err := parseAnswer(c.status, []byte(c.body))
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got := strings.Join(nsqds, " "); got != c.nsqds || bad != c.bad || fault != c.fault {
			t.Errorf("%s: %q, %d, %q", c.name, got, bad, fault)
		}
	}
}

// FuzzAnswer: every answer results in a list of HOST:PORT that can be part of a URL.
func FuzzAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add(c.status, []byte(c.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		nsqds, bad, err := parseAnswer(status, body)
		if err != nil && (nsqds != nil || bad != 0) {
			t.Errorf("%q, %d with %v", nsqds, bad, err)
		}
		for _, addr := range nsqds {
			host, port, err := net.SplitHostPort(addr)
			if err != nil || host == "" || port == "" || port == "0" || strings.ContainsAny(addr, "/?#@,% \t\r\n") {
				t.Errorf("%q: %v", addr, err)
			}
		}
	})
}
