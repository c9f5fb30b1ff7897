package fleet

import (
	"errors"
	"net/url"
	"strings"
)

// name is what a fleet's URL says, SCHEME:///TOPIC/CHANNEL.
type name struct {
	scheme string
	path   string // /TOPIC/CHANNEL, as in the URL
	topic  string
}

// Named reports whether a URL is that of a fleet: of scheme nsq, without a host.
func Named(url string) bool {
	scheme, rest, _ := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	return (scheme == "nsq" || scheme == "nsq+tls") && (rest == "" || rest[0] == '/')
}

// parseName takes a URL apart. What names may be made of is the gateway's to check.
func parseName(text string) (name, error) {
	if !Named(text) {
		return name{}, errors.New("upstream URL: want nsq:///TOPIC/CHANNEL")
	}
	scheme, path, _ := strings.Cut(text, "://")
	topic, channel, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	topic, err := url.PathUnescape(topic)
	if err != nil || topic == "" || channel == "" {
		return name{}, errors.New("upstream URL: want " + scheme + ":///TOPIC/CHANNEL")
	}
	return name{strings.ToLower(scheme), path, topic}, nil
}

// url is that of one nsqd's gateway.
func (n name) url(hostport string) string { return n.scheme + "://" + hostport + n.path }

// String is the fleet's URL, which holds no secret.
func (n name) String() string { return n.url("") }
